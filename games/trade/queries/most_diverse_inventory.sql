SELECT state_id, player_id, username, count(distinct item_held_item_id) AS distinct_items
FROM player_states
GROUP BY state_id, player_id, username
ORDER BY distinct_items DESC, state_id
LIMIT 1
