SELECT
  (SELECT COUNT(DISTINCT host) FROM join_guilds) * 100
  / NULLIF(COUNT(DISTINCT host), 0) AS percent_in_guild
FROM (
  SELECT host FROM sword_purchases
  UNION ALL
  SELECT host FROM join_guilds
  UNION ALL
  SELECT host FROM slay_dragons
  UNION ALL
  SELECT host FROM catch_butterflies
)
