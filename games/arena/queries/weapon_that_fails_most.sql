SELECT weapon_used, COUNT(*) AS failures
FROM failed_attack_events
GROUP BY(weapon_used)
ORDER BY failures DESC, weapon_used
LIMIT 1
