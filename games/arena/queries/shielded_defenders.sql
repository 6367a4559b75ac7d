SELECT COUNT(DISTINCT(defender)) AS defenders
FROM successful_attack_events
WHERE defender_has_shield = true
