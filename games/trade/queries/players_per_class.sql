SELECT player_class, count(distinct player_id) AS players
FROM player_states
GROUP BY player_class
ORDER BY players DESC, player_class
