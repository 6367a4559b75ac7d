SELECT username, COUNT(*) AS shields
FROM purchase_shield_events
GROUP BY(username)
HAVING COUNT(*) > 1
ORDER BY shields DESC, username
