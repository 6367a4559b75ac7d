SELECT weapon_used, COUNT(*) AS kills
FROM successful_attack_events
WHERE defender_killed = true
GROUP BY(weapon_used)
ORDER BY kills DESC, weapon_used
LIMIT 1
