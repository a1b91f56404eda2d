-- What each system call costs, by kernel: instructions, guest and device time of a call.
select kernel, workload, syscall, count(*) as calls, cast(sum(instructions) as bigint) as all_instructions,
    cast(percentile_disc(0.5) within group (order by instructions) as bigint) as median_instructions,
    cast(percentile_disc(0.5) within group (order by guest_ns) as bigint) as median_guest_ns,
    cast(percentile_disc(0.95) within group (order by guest_ns) as bigint) as p95_guest_ns,
    cast(sum(device_ns) as bigint) as device_ns, cast(sum(bios) as bigint) as bios
from ios
group by kernel, workload, syscall
order by kernel nulls last, workload nulls last, all_instructions desc, syscall
