SELECT cancel_reason, COUNT(*) AS cancellations
FROM cancel_membership
GROUP BY cancel_reason
ORDER BY cancellations DESC, cancel_reason
