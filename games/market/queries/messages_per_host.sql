SELECT host, COUNT(*) AS messages
FROM messages
GROUP BY host
ORDER BY messages DESC, host
