-- Leases a part of a queue's concurrency limit to a replica. KEYS[1] is a hash with the limit,
-- the time of its last reduction ("eased") and the limit before that ("before"), the end of the
-- pause ("resumes"), and "held:need:granted:until" for each replica. Times are in ms.
-- ARGV: id, need, want, running, initial limit, maximum limit, ease, grow, took, pause, ttl,
-- longest pause.
-- Returns: the number of concurrent calls that the replica may make, the limit, the time since
-- its last reduction, the remaining pause, the number of replicas.
local id = ARGV[1]
local need, want, running = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local limit = tonumber(ARGV[5])
local most, ease, grow = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local took, rest, ttl = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local longest = tonumber(ARGV[12])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local eased, before, resumes, held, hungry, sated = 0, 0, 0, 0, 0, 0
local needy = {}
local replicas = 1
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local name, value = all[i], all[i + 1]
  if name == 'limit' then
    limit = tonumber(value) or limit
  elseif name == 'eased' then
    eased = tonumber(value) or 0
  elseif name == 'before' then
    before = tonumber(value) or 0
  elseif name == 'resumes' then
    resumes = tonumber(value) or 0
  elseif name ~= id then
    local h, n, g, untl = string.match(value, '(%d+):(%d+):(%d+):(%d+)')
    h, n, g, untl = tonumber(h), tonumber(n), tonumber(g), tonumber(untl)
    if not untl or untl <= now or untl > now + ttl then
      redis.call('HDEL', KEYS[1], name)
    else
      replicas = replicas + 1
      held = held + h
      if n > g then hungry = hungry + 1 else sated = sated + h end
      if n > 0 then table.insert(needy, name) end
    end
  end
end

-- Impossible times are corrupt, or the clock was set back. They must not stop calls.
if not (eased <= now) then eased = 0 end
if not (resumes <= now + longest) then resumes = 0 end
if not (ease > 0 and ease <= 1) then ease = 1 end
if not (grow >= 0) then grow = 0 end
if ease < 1 then
  -- Several replicas report the same overload. Only the largest reduction counts, not all.
  if now - eased >= took then eased, before = now, limit end
  limit = math.min(limit, before * ease)
end
limit = math.max(1, math.min(most, limit + grow))
local whole = math.floor(limit)
local room = math.max(0, whole - held)
if rest > 0 then resumes = math.max(resumes, now + math.min(rest, longest)) end

-- Capacity that no other replica waits for is free. Otherwise the replicas that want more than they
-- have share the rest equally. If that is less than one call each, they take turns.
local granted = math.min(want, room)
if hungry > 0 then
  local fair = math.floor((whole - sated) / (hungry + 1))
  if fair < 1 then
    fair = 0
    if need > 0 then
      table.insert(needy, id)
      table.sort(needy)
      local turn = 250 * math.max(1, #needy / 64)
      local first = math.floor(now / turn) * whole
      for i, name in ipairs(needy) do
        if name == id and (i - 1 - first) % #needy < whole then fair = 1 end
      end
    end
  end
  granted = math.min(granted, fair)
end

redis.call('HSET', KEYS[1], 'limit', tostring(limit), 'eased', eased, 'before', tostring(before), 'resumes', resumes)
if want == 0 and running == 0 then
  redis.call('HDEL', KEYS[1], id)
else
  redis.call('HSET', KEYS[1], id, string.format('%d:%d:%d:%d', math.max(granted, running), need, granted, now + ttl))
end
redis.call('PEXPIRE', KEYS[1], 3600000)
return {granted, tostring(limit), now - eased, math.max(0, resumes - now), replicas}
