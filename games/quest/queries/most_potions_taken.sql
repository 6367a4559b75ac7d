SELECT userid, count(*) as potions_taken
FROM character_stats
WHERE event_type = 'take_potion'
GROUP BY userid
ORDER BY potions_taken DESC, userid
limit 10
