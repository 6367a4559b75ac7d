SELECT userid, count(*) as treasures_found
FROM character_events
WHERE event_type = 'find_treasure'
GROUP BY userid
ORDER BY treasures_found DESC, userid
limit 10
