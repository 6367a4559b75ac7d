#!lua flags=allow-oom
-- Goes on without commits that were lost. Whatever a process or the log remembers of them is behind the store from now on.
--
-- KEYS: head, runs, lost, outbox. ARGV: 1 the store's id; 2 the last outbox entry that is on the log; 3 the one after it;
-- 4 the server's run id; 5 by how much the commit number leaps.
local head = redis.call('GET', KEYS[1])
local id, incarnation, commits, last, trimmed
if head then
  id, incarnation, commits, last, trimmed = string.match(head, '^1 (%S+) (%d+) %a+ (%d+) (%d+) (%d+)$')
end
if id ~= ARGV[1] then
  return {'moved', 0}
end
commits = string.format('%.0f', tonumber(commits) + tonumber(ARGV[5]))
incarnation = string.format('%.0f', tonumber(incarnation) + 1)
for _, number in ipairs(redis.call('HKEYS', KEYS[2])) do
  redis.call('HSET', KEYS[2], number, ARGV[4] .. ' ' .. commits)
end
redis.call('HSET', KEYS[2], incarnation, ARGV[4] .. ' ' .. commits)
if tonumber(ARGV[2]) > tonumber(trimmed) then
  redis.call('XTRIM', KEYS[4], 'MINID', '=', ARGV[3] .. '-0')
  trimmed = ARGV[2]
end
if tonumber(trimmed) > tonumber(last) then
  last = trimmed
end
redis.call('SET', KEYS[1], '1 ' .. id .. ' ' .. incarnation .. ' ok ' .. commits .. ' ' .. last .. ' ' .. trimmed)
redis.call('DEL', KEYS[3])
return {'done', tonumber(commits)}
