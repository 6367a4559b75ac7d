SELECT COUNT(DISTINCT(defender)) AS players_killed
FROM successful_attack_events
WHERE defender_killed = true
