SELECT weapon_used, SUM(hit) * 100 / COUNT(*) AS hit_percent, COUNT(*) AS attacks
FROM (
  SELECT weapon_used, 1 AS hit FROM successful_attack_events
  UNION ALL
  SELECT weapon_used, 0 AS hit FROM failed_attack_events
)
GROUP BY(weapon_used)
ORDER BY hit_percent DESC, weapon_used
