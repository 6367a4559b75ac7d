SELECT count(distinct(userid)) as players_attacked
FROM character_events
WHERE event_type = 'enemy_attack'
