"""scripts/gdb: a debugger in a replay, at a moment of its trace.

`launch` runs outside of gdb: it fills a folder for QEMU and starts gdb. What gdb runs begins in `inside`: it starts QEMU
(`guest`), loads symbols (`symbols`), and defines the commands (`commands`, `values`). `questions` asks the analyzer; both
sides use it.
"""
