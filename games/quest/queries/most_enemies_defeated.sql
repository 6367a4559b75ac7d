SELECT userid, count(*) as enemies_defeated
FROM character_events
WHERE event_type = 'defeat_enemy'
GROUP BY userid
ORDER BY enemies_defeated DESC, userid
limit 10
