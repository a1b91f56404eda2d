-- The stage in which the bios of each kernel and workload spend the most time, and its share of all stages.
with times as (
    select kernel, workload, stage, count(*) as count, cast(sum(delta_ns) as bigint) as total_ns,
        cast(percentile_disc(0.5) within group (order by delta_ns) as bigint) as median_ns, max(delta_ns) as max_ns
    from stages where step > 0 group by kernel, workload, stage
),
ranked as (
    select *, row_number() over (partition by kernel, workload order by total_ns desc, stage) as place,
        sum(total_ns) over (partition by kernel, workload) as of_all_ns
    from times where total_ns is not null
)
select kernel, workload, stage, count, total_ns, round(100.0 * total_ns / of_all_ns, 1) as percent, median_ns, max_ns
from ranked where place = 1
order by kernel nulls last, workload nulls last
