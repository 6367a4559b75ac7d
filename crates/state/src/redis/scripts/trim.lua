#!lua flags=allow-oom
-- Forgets outbox entries that are on the log, and with that confirms a new incarnation: the log and the store agree.
-- Runs without memory to spare, for it is what frees memory.
--
-- KEYS: head, outbox. ARGV: 1 what the head must begin with, up to its status; 2 the highest commit number that the
-- client knows; 3 the last entry that is on the log; 4 the one after it.
local prefix = ARGV[1]
local head = redis.call('GET', KEYS[1])
if not head or string.sub(head, 1, #prefix) ~= prefix then
  return {'moved', 0}
end
local status, commits, last, trimmed = string.match(head, '^(%a+) (%d+) (%d+) (%d+)$', #prefix + 1)
if status == 'lost' then
  return {'moved', 0}
end
if tonumber(commits) < tonumber(ARGV[2]) then
  return {'behind', tonumber(commits)}
end
if tonumber(ARGV[3]) > tonumber(last) then
  return {'beyond', tonumber(last)}
end
if tonumber(ARGV[3]) > tonumber(trimmed) then
  redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[4] .. '-0')
  trimmed = ARGV[3]
end
local new_head = prefix .. 'ok ' .. commits .. ' ' .. last .. ' ' .. trimmed
if new_head ~= head then
  redis.call('SET', KEYS[1], new_head)
end
return {'done', tonumber(commits)}
