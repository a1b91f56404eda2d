-- I/Os whose path deviates: with functions that fewer than one in ten I/Os of the same system call have, of ten or more.
with called as (
    select distinct p.kernel, p.workload, p.run, p.io, i.syscall, p.name
    from path p join ios i on i.run = p.run and i.io = p.io
    where p.kind in ('call', 'inlined') and p.context = 'task' and p.pid = i.pid
),
sizes as (
    select kernel, workload, syscall, count(distinct concat(run, '#', io)) as of_all
    from called group by kernel, workload, syscall
),
shares as (
    select kernel, workload, syscall, name, count(*) as having_it from called group by kernel, workload, syscall, name
),
rare as (
    select h.kernel, h.workload, h.syscall, h.name, h.having_it, s.of_all
    from shares h join sizes s on h.syscall = s.syscall
        and coalesce(h.kernel, '') = coalesce(s.kernel, '') and coalesce(h.workload, '') = coalesce(s.workload, '')
    where s.of_all >= 10 and h.having_it * 10 < s.of_all
)
select c.kernel, c.workload, c.run, c.io, c.syscall, min(r.having_it) as having_them, max(r.of_all) as of_all,
    array_sort(array_agg(c.name)) as functions
from called c join rare r on c.syscall = r.syscall and c.name = r.name
    and coalesce(c.kernel, '') = coalesce(r.kernel, '') and coalesce(c.workload, '') = coalesce(r.workload, '')
group by c.kernel, c.workload, c.run, c.io, c.syscall
order by min(r.having_it), c.kernel nulls last, c.workload nulls last, c.run, c.io
