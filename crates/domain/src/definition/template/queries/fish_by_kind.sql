-- A cast that caught nothing has no fish.
select fish, count(*) as caught
from casts
where fish is not null
group by fish
order by caught desc
