SELECT guild_name, COUNT(DISTINCT host) AS members
FROM guild_membership
GROUP BY guild_name
ORDER BY members DESC, guild_name
