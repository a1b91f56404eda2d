"""scripts/gdb and scripts/ask: a debugger in a replay, at a moment of its trace.

`launch` runs outside of gdb: it fills a folder for QEMU and starts gdb. What gdb runs begins in `inside`: `session` starts QEMU
(`guest`), loads symbols (`symbols`), and goes to a moment; without snapshots it goes back as `backward` does. `commands`, `values`
and `writes` are what the user has in gdb. `questions` asks the analyzer; both sides use it.

scripts/ask: `question` reads what is asked, `places` finds it, `ask` stops there and `evaluate` reads fields; `watch` watches a
variable; `attribution` finds I/O and bio, `answers` prints; the analyzer puts answers into a trace (`inject`).
"""
