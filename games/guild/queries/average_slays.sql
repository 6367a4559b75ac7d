SELECT COUNT(*) / NULLIF(COUNT(DISTINCT host), 0) AS average_slays
FROM slay_dragons
