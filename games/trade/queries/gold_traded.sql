SELECT sum(gold_traded) AS gold_traded
FROM trades
WHERE valid_trade = true
