-- Sends one operation repeatedly. Arguments: the body (empty: GET), "unique" to give each
-- request its own credential, so that no two requests share work, and an id of the run.
-- Prints the result in one line for the caller.
local threads = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init(args)
  body, unique, sent = args[1], args[2] == "unique", 0
  method = body == "" and "GET" or "POST"
  -- The id keeps runs from sharing a cache.
  run = args[3]
end

local function with(credential)
  return wrk.format(method, nil, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. credential,
  }, body)
end

function request()
  if not unique then
    same = same or with(run)
    return same
  end
  sent = sent + 1
  return with(table.concat({ run, id, sent }, "-"))
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("result %d %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50)))
end
