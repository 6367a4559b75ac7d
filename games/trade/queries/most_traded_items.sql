SELECT item_traded_name, count(*) AS times_traded, sum(item_traded_quantity) AS units_traded
FROM trades
WHERE valid_trade = true AND item_traded_item_id IS NOT NULL
GROUP BY item_traded_name
ORDER BY times_traded DESC, item_traded_name
