SELECT COUNT(*) / NULLIF(COUNT(DISTINCT host), 0) AS average_catches
FROM catch_butterflies
