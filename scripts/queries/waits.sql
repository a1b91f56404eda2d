-- What tasks waited for in I/Os, by kernel: how often, until they were woken, and from then until they ran.
select kernel, workload, case when what = '' then function else what end as waited_for, count(*) as waits,
    cast(sum(woken_ns - stopped_ns) as bigint) as asleep_ns, max(woken_ns - stopped_ns) as max_asleep_ns,
    cast(sum(resumed_ns - woken_ns) as bigint) as runnable_ns, max(resumed_ns - woken_ns) as max_runnable_ns
from waits
group by kernel, workload, case when what = '' then function else what end
order by kernel nulls last, workload nulls last, asleep_ns desc nulls last, waited_for
