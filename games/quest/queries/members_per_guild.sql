SELECT guild_name, count(distinct(userid)) as members
FROM guild_events
GROUP BY guild_name
ORDER BY members DESC, guild_name
