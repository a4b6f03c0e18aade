-- What wrk sends: with BENCH=submit POSTs of 1 KiB, with BENCH=batch of 100 such each, else a GET. TOKENS names a file with a token on each
-- line, so that none stands on a command line: they take turns. FORM names a file with a form, to be POSTed. PAUSE_MS is how long each connection waits between its requests.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local tokens = {}
if (os.getenv("TOKENS") or "") ~= "" then
  for line in io.lines(os.getenv("TOKENS")) do
    tokens[#tokens + 1] = "Bearer " .. line
  end
  wrk.headers["Authorization"] = tokens[1]
end

if os.getenv("FORM") then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
  wrk.body = io.open(os.getenv("FORM")):read("a")
end

-- Sent in turn, and made beforehand: making them is no work of the program that is measured.
local posts = {}

function init()
  local bench = os.getenv("BENCH")
  if bench ~= "submit" and bench ~= "batch" then
    return
  end
  wrk.headers["Content-Type"] = "application/json"
  local made, filler = 0, string.rep("x", 1024 - 70)

  local function item()
    made = made + 1
    return string.format('{"type":"default","payload":{"n":"%02d-%012d","filler":"%s"},"tags":{}}', number, made, filler)
  end

  for n = 1, bench == "submit" and 1000 or 20 do
    local body = item()
    if bench == "batch" then
      local items = { body }
      for i = 2, 100 do
        items[i] = item()
      end
      body = '{"requests":[' .. table.concat(items, ",") .. "]}"
    end
    posts[n] = wrk.format("POST", nil, nil, body)
  end
end

local turn = 0

if os.getenv("BENCH") == "submit" or os.getenv("BENCH") == "batch" then
  function request()
    turn = turn % #posts + 1
    return posts[turn]
  end
elseif #tokens > 1 then
  function request()
    turn = turn % #tokens + 1
    wrk.headers["Authorization"] = tokens[turn]
    return wrk.format()
  end
end

if os.getenv("PAUSE_MS") then
  local pause = tonumber(os.getenv("PAUSE_MS"))

  function delay()
    return pause
  end
end

-- One line for scripts/bench: requests per second, latency at 50 % and 99 % in milliseconds, answers that were no success.
function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  local per_second = (summary.requests - errors.status) / (summary.duration / 1e6)
  io.write(string.format("RESULT %.0f %.2f %.2f %d\n", per_second, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
