SELECT COUNT(DISTINCT(username)) AS players
FROM player_events
