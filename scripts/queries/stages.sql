-- The stages of bios, of each kernel and operation, as the report's summary has them: from the stage before to this one, and
-- from queue to end (total), of that device time, and the rest (guest).
with spans as (
    select run, bio, step, stage, delta_ns as ns, delta_instructions as instructions from stages where step > 0
    union all
    select run, bio, 1000, 'total', elapsed_ns, ended_clock - queued_clock from bios where elapsed_ns is not null
    union all
    select run, bio, 1001, 'guest', elapsed_ns - device_ns, null from bios where elapsed_ns is not null
    union all
    select run, bio, 1002, 'device', device_ns, null from bios where elapsed_ns is not null
)
select b.kernel, b.workload, b.rwbs, s.stage, count(*) as count,
    cast(percentile_disc(0.5) within group (order by s.ns) as bigint) as median_ns,
    cast(percentile_disc(0.95) within group (order by s.ns) as bigint) as p95_ns, max(s.ns) as max_ns,
    cast(percentile_disc(0.5) within group (order by s.instructions) as bigint) as median_instructions,
    max(s.instructions) as max_instructions
from spans s join bios b on b.run = s.run and b.bio = s.bio
group by b.kernel, b.workload, b.rwbs, s.stage
order by b.kernel nulls last, b.workload nulls last, b.rwbs, min(s.step), s.stage
