#!lua flags=allow-oom
-- Says whether this Redis holds the store that the client knows, with everything that the client has seen; makes the
-- store where there is none; counts a restart or fail-over as a new incarnation. Run on every new connection, before
-- anything else. Runs without memory to spare: what frees memory can only run after it.
--
-- KEYS: head, runs, lost, outbox, and three for the probe. ARGV: 1 '1' when the store may be made; 2 the id of a new one;
-- 3 the server's run id; 4 the id that the client knows ('' at start); 5 the incarnation and 6 the highest commit
-- number that it knows; 7 how many incarnations are remembered.
local may_create, new_id, run = ARGV[1] == '1', ARGV[2], ARGV[3]
local known_id, known_incarnation, seen = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])

-- Every command of the commit script, so that a user without a permission is found now and not half-way.
redis.call('DEL', KEYS[5], KEYS[6], KEYS[7])
redis.call('MSET', KEYS[5], 'probe')
redis.call('SET', KEYS[5], 'probe', 'PX', 1000)
redis.call('MGET', KEYS[5])
redis.call('ZADD', KEYS[6], 0, 'probe')
redis.call('XADD', KEYS[7], '1-0', 'k', 'probe')
redis.call('XTRIM', KEYS[7], 'MINID', '=', '2-0')
redis.call('DEL', KEYS[5], KEYS[6], KEYS[7])

local head = redis.call('GET', KEYS[1])
if not head then
  if known_id ~= '' then
    return {'gone', ''}
  end
  if redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4]) > 0 then
    return {'headless', ''}
  end
  if not may_create then
    return {'absent', ''}
  end
  redis.call('HSET', KEYS[2], '1', run .. ' 0')
  head = '1 ' .. new_id .. ' 1 ok 0 0 0'
  redis.call('SET', KEYS[1], head)
end
local id, incarnation, status, commits, counts = string.match(head, '^1 (%S+) (%d+) (%a+) (%d+)( %d+ %d+)$')
if not id then
  return {'format', head}
end
if known_id ~= '' and known_id ~= id then
  return {'replaced', id}
end
incarnation = tonumber(incarnation)
local function store_head()
  head = string.format('1 %s %.0f %s ', id, incarnation, status) .. commits .. counts
  redis.call('SET', KEYS[1], head)
end

local base = redis.call('HGET', KEYS[2], string.format('%.0f', incarnation))
if not base or string.match(base, '^(%S+)') ~= run then
  incarnation = incarnation + 1
  redis.call('HSET', KEYS[2], string.format('%.0f', incarnation), run .. ' ' .. commits)
  redis.call('HDEL', KEYS[2], string.format('%.0f', incarnation - tonumber(ARGV[7])))
  if status == 'ok' then
    status = 'new'
  end
  store_head()
end

-- What the client has seen must be in each incarnation that began since.
local lost
if known_id ~= '' then
  if tonumber(commits) < seen then
    lost = string.format('it stands at commit %s, and commit %.0f had been seen', commits, seen)
  end
  for number = known_incarnation + 1, incarnation do
    local run_and_base = redis.call('HGET', KEYS[2], string.format('%.0f', number))
    local at = run_and_base and tonumber(string.match(run_and_base, ' (%d+)$'))
    if not at then
      lost = string.format('what happened in incarnation %.0f is not known any more', number)
    elseif at < seen then
      lost = string.format('incarnation %.0f began at commit %.0f, and commit %.0f had been seen', number, at, seen)
    end
  end
end
if lost and status ~= 'lost' then
  redis.call('SET', KEYS[3], lost)
  status = 'lost'
  store_head()
end
if status == 'lost' then
  return {'lost', redis.call('GET', KEYS[3]) or lost or ''}
end
return {'open', head}
