SELECT COUNT(DISTINCT host) * 100 / 3 AS percent_in_guild
FROM join_guilds
