SELECT host, SUM(amount) AS money_added, AVG(amount) AS average_amount, COUNT(*) AS times
FROM add_money
GROUP BY host
ORDER BY money_added DESC, host
