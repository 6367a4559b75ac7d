SELECT "timestamp", host, message_post
FROM messages
ORDER BY "timestamp" DESC, host, message_post
LIMIT 100
