select name, sum(earned) as coins_earned, sum(quantity) as fish_sold
from sales
group by name
order by coins_earned desc, name
limit 10
