SELECT
  (SELECT COUNT(DISTINCT host) FROM guild_membership) AS members,
  (SELECT COUNT(DISTINCT host) FROM cancel_membership) AS cancelled
