SELECT MAX(gold_found) AS most, MIN(gold_found) AS least, AVG(gold_found) AS average
FROM dig_for_gold_events
