-- Merges, by kernel and operation: bios that share a request with an earlier one, splits, requeues, errors.
select kernel, workload, rwbs, count(*) as bios, cast(sum(bytes) as bigint) as bytes,
    count(*) filter (where "join" like '%-merge') as merged,
    round(100.0 * count(*) filter (where "join" like '%-merge') / count(*), 1) as percent_merged,
    count(*) filter (where origin in ('split', 'rest')) as split, cast(sum(requeues) as bigint) as requeues,
    count(*) filter (where status <> 0) as failed
from bios
group by kernel, workload, rwbs
order by kernel nulls last, workload nulls last, rwbs
