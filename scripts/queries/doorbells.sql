-- Doorbells per I/O: how often drivers write the doorbell of a controller for the I/Os of a system call.
with rung as (
    select distinct b.kernel, b.workload, b.run, b.io, a.doorbell_clock
    from bios b join attempts a on a.run = b.run and a.request = b.request
    where b.io is not null and a.doorbell_clock is not null
),
per_io as (
    select run, io, count(*) as doorbells from rung group by run, io
)
select i.kernel, i.workload, i.syscall, count(*) as ios, cast(coalesce(sum(p.doorbells), 0) as bigint) as doorbells,
    round(coalesce(sum(p.doorbells), 0) * 1.0 / count(*), 3) as doorbells_per_io, max(coalesce(p.doorbells, 0)) as most
from ios i left join per_io p on p.run = i.run and p.io = i.io
group by i.kernel, i.workload, i.syscall
order by i.kernel nulls last, i.workload nulls last, i.syscall
