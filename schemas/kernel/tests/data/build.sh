#!/bin/sh
# Makes the images again. kernel.elf and module.ko: DWARF 5 and BTF, the module's split from the
# kernel's. inlined.ko and inlined.elf: DWARF 5 alone, the second is the first linked;
# inlined_lto.elf: the same with link-time optimization, which puts instances and descriptions
# into different units. count_*.elf: DWARF 5 alone, the preemption count in each elsewhere. returns.elf: DWARF 5 and
# BTF, of two units in C and one in assembly; syscalls.elf: DWARF 5 alone, of two units. Needs gcc (12 was taken) and pahole (package dwarves). The tests know the
# line numbers of kernel.c, and of inlined.c what readelf and objdump show: lines, addresses,
# registers.
set -eu
cd "$(dirname "$0")"
common='-g -O2 -ffile-prefix-map='"$PWD"'=. -fno-asynchronous-unwind-tables'
flags="$common -c"
gcc $flags kernel.c -o kernel.o
gcc $flags module.c -o module.o
gcc $flags -fcf-protection=none -fno-pie inlined.c -o inlined.ko
gcc -static -nostdlib -no-pie -Wl,-Ttext=0x401000,--build-id=none,-e,nested inlined.ko -o inlined.elf
gcc $flags -flto -fcf-protection=none -fno-pie inlined.c -o lto.o
gcc $common -flto -static -nostdlib -no-pie -Wl,-Ttext=0x401000,--build-id=none,-e,nested lto.o -o inlined_lto.elf
rm lto.o
gcc $flags -DIN_STACK count.c -o count_in_stack.elf
gcc $flags -DPER_CPU count.c -o count_per_cpu.elf
gcc $flags count.c -o count_nowhere.elf
gcc $flags -fno-pie returns.c -o returns.o
gcc $flags -fno-pie -DOTHER returns.c -o returns_other.o
gcc $flags -gdwarf-5 returns.S -o returns_assembly.o
gcc -static -nostdlib -no-pie -Wl,-Ttext=0x401000,--build-id=none,-z,noexecstack,-e,number returns.o returns_other.o returns_assembly.o -o returns.elf
rm returns.o returns_other.o returns_assembly.o
pahole -J returns.elf
gcc $flags -fno-pie -fcf-protection=none syscalls.c -o syscalls.o
gcc $flags -fno-pie -DTABLE syscalls.c -o syscalls_table.o
gcc -static -nostdlib -no-pie -Wl,-Ttext=0x401000,--build-id=none,-z,noexecstack,-e,SyS_f syscalls.o syscalls_table.o -o syscalls.elf
rm syscalls.o syscalls_table.o
pahole -J kernel.o
objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc kernel.o kernel.btf
pahole -J --btf_base kernel.btf module.o
mv kernel.o kernel.elf
mv module.o module.ko
rm -f kernel.btf
