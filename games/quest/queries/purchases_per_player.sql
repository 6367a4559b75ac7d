SELECT userid,
  sum(case when event_type = 'purchase_sword' then amount_purchased else 0 end) as swords,
  sum(case when event_type = 'purchase_shield' then amount_purchased else 0 end) as shields,
  sum(case when event_type = 'purchase_potion' then amount_purchased else 0 end) as potions
FROM purchase_events
GROUP BY userid
ORDER BY userid
