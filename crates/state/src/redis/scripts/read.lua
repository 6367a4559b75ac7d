#!lua flags=no-writes
-- Reads a page of the outbox together with the head. A script, and no transaction, for Redis refuses those without memory
-- to spare.
--
-- KEYS: head, outbox. ARGV: 1 the entry after which to begin; 2 how many.
return {redis.call('GET', KEYS[1]), redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])}
