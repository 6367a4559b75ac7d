SELECT host, SUM(amount) AS balance
FROM transactions
GROUP BY host
ORDER BY balance DESC, host
