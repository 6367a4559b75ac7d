SELECT weapon, COUNT(*) AS purchases
FROM purchase_weapon_events
GROUP BY(weapon)
ORDER BY purchases DESC, weapon
