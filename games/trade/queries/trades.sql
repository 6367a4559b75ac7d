SELECT count(distinct trade_id) AS trades
FROM trades
