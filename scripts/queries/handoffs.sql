-- How long hand-offs take, by kernel: from the wake-up, the raise or the queueing to the begin of the other context.
select kernel, workload, kind, count(*) as count,
    cast(percentile_disc(0.5) within group (order by to_ns - from_ns) as bigint) as median_ns,
    cast(percentile_disc(0.95) within group (order by to_ns - from_ns) as bigint) as p95_ns, max(to_ns - from_ns) as max_ns,
    cast(percentile_disc(0.5) within group (order by to_clock - from_clock) as bigint) as median_instructions
from handoffs
group by kernel, workload, kind
order by kernel nulls last, workload nulls last, kind
