SELECT fail_reason, count(distinct trade_id) AS trades
FROM trades
WHERE valid_trade = false
GROUP BY fail_reason
ORDER BY trades DESC, fail_reason
