SELECT event_type, COUNT(*) AS purchases, -SUM(amount) AS money_spent
FROM purchases
GROUP BY event_type
ORDER BY event_type
