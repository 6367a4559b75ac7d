#!lua
-- Does all of a commit or nothing of it. Everything that could refuse comes before the first write.
--
-- KEYS: head; the idempotency record, if there is one; the looked-at entities; the outbox; the key index of each new
-- entity.
-- ARGV: 1 what the head must begin with; 2 the highest commit number that the client knows; 3 the time, microseconds;
-- 4 and 5 the record and its lifetime in milliseconds ('' and '0': none); 6 how many entities; 7 how many new ones;
-- then per entity the header of its expected version ('' when it must not exist) and its new form ('' when it stays);
-- then the new entities' keys; then the events, key and value.
local prefix = ARGV[1]
local record = ARGV[4]
local entities = tonumber(ARGV[6])
local created = tonumber(ARGV[7])
local first_entity = 2
if record ~= '' then
  first_entity = 3
end
local outbox = first_entity + entities

local found = redis.call('MGET', unpack(KEYS, 1, outbox - 1))
local head = found[1]
if not head or string.sub(head, 1, #prefix) ~= prefix then
  return {'moved', 0}
end
local commits, last, trimmed = string.match(head, '^(%d+) (%d+) (%d+)$', #prefix + 1)
commits = tonumber(commits)
last = tonumber(last)
if commits < tonumber(ARGV[2]) then
  return {'behind', commits}
end
if record ~= '' and found[2] and struct.unpack('<i8', found[2], 2) > tonumber(ARGV[3]) then
  return {'replayed', commits, found[2]}
end
local states = {KEYS[1], ''}
for number = 0, entities - 1 do
  local expected = ARGV[8 + 2 * number]
  local state = ARGV[9 + 2 * number]
  local now = found[first_entity + number]
  if now then
    now = string.sub(now, 1, 9)
  else
    now = ''
  end
  if now ~= expected then
    return {'conflict', commits}
  end
  if state ~= '' then
    states[#states + 1] = KEYS[first_entity + number]
    states[#states + 1] = state
  end
end

local first_created = 8 + 2 * entities
for place = first_created + created, #ARGV, 2 do
  last = last + 1
  redis.call('XADD', KEYS[outbox], string.format('%.0f-0', last), 'k', ARGV[place], 'v', ARGV[place + 1])
end
for number = 0, created - 1 do
  redis.call('ZADD', KEYS[outbox + 1 + number], 0, ARGV[first_created + number])
end
commits = commits + 1
states[2] = prefix .. string.format('%.0f %.0f ', commits, last) .. trimmed
redis.call('MSET', unpack(states))
if record ~= '' then
  redis.call('SET', KEYS[2], record, 'PX', ARGV[5])
end
return {'done', commits}
