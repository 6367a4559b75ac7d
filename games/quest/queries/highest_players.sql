SELECT userid, sum(level) as total_level
FROM character_stats
WHERE event_type = 'level_up'
GROUP BY userid
ORDER BY Sum(level) DESC, userid
limit 10
