-- The cost of fsync by version of the kernel: bios, instructions, guest and device time of a call.
select kernel, workload, count(distinct run) as runs, count(*) as calls, round(avg(bios), 2) as bios,
    cast(percentile_disc(0.5) within group (order by instructions) as bigint) as median_instructions,
    cast(percentile_disc(0.5) within group (order by guest_ns) as bigint) as median_guest_ns,
    cast(percentile_disc(0.95) within group (order by guest_ns) as bigint) as p95_guest_ns,
    cast(percentile_disc(0.5) within group (order by device_ns) as bigint) as median_device_ns,
    max(elapsed_ns) as max_elapsed_ns
from ios where syscall in ('fsync', 'fdatasync', 'sync', 'syncfs', 'sync_file_range', 'msync')
group by kernel, workload
order by kernel nulls last, workload nulls last
