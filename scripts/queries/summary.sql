-- The first line of the report, of each run: I/Os, bios, requests, bytes, time and instructions.
with io_counts as (
    select run, count(*) as ios from ios group by run
),
bio_counts as (
    select run, count(*) as bios,
        count(*) filter (where request is not null and ("join" is null or "join" = 'got')) as requests,
        cast(coalesce(sum(bytes) filter (where came_of is null), 0) as bigint) as bytes
    from bios group by run
)
select r.kernel, r.workload, r.host, r.run, coalesce(i.ios, 0) as ios, coalesce(b.bios, 0) as bios,
    coalesce(b.requests, 0) as requests, coalesce(b.bytes, 0) as bytes, r.elapsed_ns, r.instructions, r.lost
from runs r left join io_counts i on i.run = r.run left join bio_counts b on b.run = r.run
order by r.kernel nulls last, r.workload nulls last, r.host nulls last, r.run
