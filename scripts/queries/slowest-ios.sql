-- The twenty slowest I/Os of all runs, by guest time: iotrace-analyze path shows one by its number in the trace of its run.
select kernel, workload, host, run, io, syscall, comm, pid, file, bytes, bios, guest_ns, device_ns, elapsed_ns
from ios where guest_ns is not null
order by guest_ns desc, run, io
limit 20
