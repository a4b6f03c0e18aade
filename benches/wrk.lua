-- What wrk sends: with BENCH=submit a POST with a new body of 1 KiB each time, else a GET. The token comes from the environment,
-- so that it stands on no command line.
wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

if os.getenv("BENCH") == "submit" then
  wrk.headers["Content-Type"] = "application/json"
  local sent, filler = 0, string.rep("x", 1024 - 70)

  function request()
    sent = sent + 1
    local body = string.format('{"type":"default","payload":{"n":"%02d-%012d","filler":"%s"},"tags":{}}', number, sent, filler)
    return wrk.format("POST", nil, nil, body)
  end
end

-- One line for scripts/bench: requests per second, latency at 50 % and 99 % in milliseconds, answers that were no success.
function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  local per_second = (summary.requests - errors.status) / (summary.duration / 1e6)
  io.write(string.format("RESULT %.0f %.2f %.2f %d\n", per_second, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
