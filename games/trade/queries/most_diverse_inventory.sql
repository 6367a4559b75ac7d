SELECT state_id, player_id, username, count(distinct item_held_item_id) AS distinct_items
FROM player_states
WHERE item_held_item_id IS NOT NULL
GROUP BY state_id, player_id, username
ORDER BY distinct_items DESC, state_id
LIMIT 1
