#!/bin/sh
# Makes the images again. kernel.elf and module.ko: DWARF 5 and BTF, the module's split from the
# kernel's. inlined.ko and inlined.elf: DWARF 5 alone, the second is the first linked. Needs gcc
# (12 was taken) and pahole (package dwarves). The tests know the line numbers of kernel.c, and of
# inlined.* the addresses and registers that readelf and objdump show.
set -eu
cd "$(dirname "$0")"
flags='-g -O2 -c -ffile-prefix-map='"$PWD"'=. -fno-asynchronous-unwind-tables'
gcc $flags kernel.c -o kernel.o
gcc $flags module.c -o module.o
gcc $flags -fcf-protection=none -fno-pie inlined.c -o inlined.ko
gcc -static -nostdlib -no-pie -Wl,-Ttext=0x401000,--build-id=none,-e,nested inlined.ko -o inlined.elf
pahole -J kernel.o
objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc kernel.o kernel.btf
pahole -J --btf_base kernel.btf module.o
mv kernel.o kernel.elf
mv module.o module.ko
rm -f kernel.btf
