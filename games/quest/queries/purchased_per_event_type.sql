SELECT event_type, sum(amount_purchased) as ttl_purchased
FROM purchase_events
GROUP BY event_type
ORDER BY ttl_purchased DESC, event_type
