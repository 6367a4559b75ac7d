SELECT state_id, player_id, username, sum(item_held_value * item_held_quantity) AS inventory_value
FROM player_states
WHERE item_held_item_id IS NOT NULL
GROUP BY state_id, player_id, username
ORDER BY inventory_value DESC, state_id
LIMIT 1
