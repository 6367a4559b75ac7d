SELECT event_type, COUNT(*) AS events
FROM (
  SELECT event_type FROM sword_purchases
  UNION ALL
  SELECT event_type FROM join_guilds
  UNION ALL
  SELECT event_type FROM slay_dragons
  UNION ALL
  SELECT event_type FROM catch_butterflies
)
GROUP BY event_type
ORDER BY event_type
