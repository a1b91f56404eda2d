-- Hosts by the time of their devices: from issue to completion of requests, beside the median of all hosts.
with times as (
    select i.kernel, i.workload, i.host, c.ns - i.ns as device_ns
    from stages i join stages c on c.run = i.run and c.bio = i.bio and c.stage = 'completed' and i.stage = 'issued'
),
everywhere as (
    select coalesce(workload, '') as workload, median(device_ns) as median_ns from times group by coalesce(workload, '')
)
select t.host, t.workload, count(*) as bios, median(t.device_ns) as median_ns,
    cast(percentile_disc(0.95) within group (order by t.device_ns) as bigint) as p95_ns, max(t.device_ns) as max_ns,
    min(e.median_ns) as median_of_all_ns
from times t join everywhere e on e.workload = coalesce(t.workload, '')
group by t.host, t.workload
order by median(t.device_ns) desc, t.host nulls last, t.workload nulls last
