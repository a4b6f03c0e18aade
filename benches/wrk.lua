-- What wrk sends: with BENCH=submit POSTs of 1 KiB, with BENCH=batch of 100 such each, else a GET. TOKENS names a file with a token on
-- each line, so that none stands on a command line: they take turns, and so do the paths in the file that PATHS names. FORM names a file
-- with a form, to be POSTed. PAUSE_MS is how long each connection waits between its requests. With EXPECT=refusal answers below 400 are
-- the unexpected ones. With COUNT=1 the answers are counted by status.
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  threads[#threads + 1] = thread
end

local function lines_of(variable)
  local lines, name = {}, os.getenv(variable) or ""
  if name ~= "" then
    for line in io.lines(name) do
      lines[#lines + 1] = line
    end
  end
  return lines
end

local tokens, paths = lines_of("TOKENS"), lines_of("PATHS")
if #tokens > 0 then
  wrk.headers["Authorization"] = "Bearer " .. tokens[1]
end

if os.getenv("FORM") then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
  wrk.body = io.open(os.getenv("FORM")):read("a")
end

-- Sent in turn, and made beforehand: making them is no work of the program that is measured.
local made = {}

local function make_posts(batch)
  wrk.headers["Content-Type"] = "application/json"
  local count, filler = 0, string.rep("x", 1024 - 70)

  local function item()
    count = count + 1
    return string.format('{"type":"default","payload":{"n":"%02d-%012d","filler":"%s"},"tags":{}}', number, count, filler)
  end

  for n = 1, batch and 20 or 1000 do
    local body = item()
    if batch then
      local items = { body }
      for i = 2, 100 do
        items[i] = item()
      end
      body = '{"requests":[' .. table.concat(items, ",") .. "]}"
    end
    made[n] = wrk.format("POST", nil, nil, body)
  end
end

local bench = os.getenv("BENCH")
local posts = bench == "submit" or bench == "batch"

function init()
  if posts then
    make_posts(bench == "batch")
  elseif #tokens > 1 or #paths > 0 then
    for n = 1, math.max(#tokens, #paths) do
      wrk.headers["Authorization"] = "Bearer " .. tokens[(n - 1) % #tokens + 1]
      made[n] = wrk.format("GET", paths[n])
    end
  end
end

local turn

-- Without a function here, wrk sends one request again and again, and is faster.
if posts or #tokens > 1 or #paths > 0 then
  function request()
    -- Each thread begins elsewhere.
    turn = (turn or number * math.floor(#made / 2)) % #made + 1
    return made[turn]
  end
end

if os.getenv("PAUSE_MS") then
  local pause = tonumber(os.getenv("PAUSE_MS"))

  function delay()
    return pause
  end
end

statuses = ""

if os.getenv("COUNT") then
  local counts = {}

  function response(status)
    if counts[status] == nil then
      counts[status] = 0
      statuses = statuses .. " " .. status
    end
    counts[status] = counts[status] + 1
    _G["status_" .. status] = counts[status]
  end
end

-- One line for scripts/bench: expected answers a second, latency at 50 % and 99 % in milliseconds, how much was unexpected, and the counts.
function done(summary, latency, requests)
  local errors = summary.errors
  local refused, broken = errors.status, errors.connect + errors.read + errors.write + errors.timeout
  local good, bad = summary.requests - refused, refused
  if os.getenv("EXPECT") == "refusal" then
    good, bad = bad, good
  end
  local totals, counted = {}, ""
  for _, thread in ipairs(threads) do
    for status in thread:get("statuses"):gmatch("%d+") do
      totals[status] = (totals[status] or 0) + thread:get("status_" .. status)
    end
  end
  for status, count in pairs(totals) do
    counted = counted .. string.format(" %s=%d", status, count)
  end
  io.write(string.format("RESULT %.0f %.2f %.2f %d%s\n", good / (summary.duration / 1e6), latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, bad + broken, counted))
end
