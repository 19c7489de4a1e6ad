-- wrk's part of `listen.py`: posts each line of a file, "SIGNATURE BODY", once; the end is told as
-- one line of JSON. Past the last line it stops.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  lines = io.lines(arguments[1])
  refused = 0
  exhausted = false
end

local probe = '{"destination":"U4af4980629f0b5a3c3d6b8a1d2e3f405","events":[]}'

function request()
  local line = lines and lines()
  if not line then
    lines, exhausted = nil, true
    return wrk.format("POST", "/", { ["content-type"] = "application/json" }, probe)
  end
  local space = line:find(" ", 1, true)
  local head = {
    ["content-type"] = "application/json; charset=utf-8",
    ["x-line-signature"] = line:sub(1, space - 1),
  }
  return wrk.format("POST", "/", head, line:sub(space + 1))
end

function response(status)
  if status ~= 200 then
    refused = refused + 1
  end
  if exhausted then
    wrk.thread:stop()
  end
end

function done(summary, latency)
  local refusals = 0
  for _, thread in ipairs(threads) do
    refusals = refusals + thread:get("refused")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "micros": %d, "refused": %d, "broken": %d, "p50": %d, "p99": %d, "max": %d}\n',
    summary.requests, summary.duration, refusals,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
