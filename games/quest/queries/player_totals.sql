SELECT userid,
  coalesce(sum(level), 0) as level,
  coalesce(sum(attack), 0) as total_attack,
  coalesce(sum(defense), 0) as total_defense,
  coalesce(sum(health), 0) as total_health
FROM character_stats
GROUP BY userid
ORDER BY 2 DESC, userid
