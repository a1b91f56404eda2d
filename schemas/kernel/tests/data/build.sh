#!/bin/sh
# Makes kernel.elf and module.ko again: DWARF 5 and BTF, the module's split from the kernel's.
# Needs gcc and pahole (package dwarves). The tests know the line numbers of kernel.c.
set -eu
cd "$(dirname "$0")"
flags='-g -O2 -c -ffile-prefix-map='"$PWD"'=. -fno-asynchronous-unwind-tables'
gcc $flags kernel.c -o kernel.o
gcc $flags module.c -o module.o
pahole -J kernel.o
objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc kernel.o kernel.btf
pahole -J --btf_base kernel.btf module.o
mv kernel.o kernel.elf
mv module.o module.ko
rm -f kernel.btf
