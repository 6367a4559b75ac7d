SELECT AVG(wallet_after) AS average_wallet
FROM purchase_shield_events
