"""Run by gdb in scripts/gdb: go to events of the trace in an order of its own, some of them twice, and compare.

At each event the count must be its clock, and the instruction pointer its probe's: for an entry the function's first
instruction, or the one behind the call of fentry; the faulting instruction for a page fault. All registers must be the same
when the event is visited again.
"""

import random

import gdb
from iotrace_scripts.debugger.session import current

EVENTS, AGAIN = globals().get("EVENTS", 200), 20
REGISTERS = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags gs_base".split()

session = current()
number = session.trace.event
symbol = {kind["name"]: kind["symbol"] for kind in session.trace.info["event_types"] if kind["at"] == "entry"}
marks = {mark["name"]: mark["clock"] for mark in session.trace.info["marks"]}
window = session.trace.between(marks["begin"], marks["end"], ["--type", "probe"])
entries = [event for event in window if event["at"] == "entry"]
chosen = random.Random(22).sample(entries, EVENTS)


def registers():
    """All of them, at present."""
    frame = gdb.newest_frame()
    return [int(frame.read_register(name)) for name in REGISTERS]


seen, faults, wrong = {}, 0, []
for event in chosen:
    session.seek(event["clock"])
    count, pointer = session.replay.clock(), int(gdb.parse_and_eval("(unsigned long)$rip"))
    seen[event["number"]] = registers()
    symbols = gdb.execute(f"info symbol {pointer:#x}", to_string=True)
    first = symbols.split()[0] if " + " not in symbols else ""
    offset = 0 if first else int(symbols.split(" + ")[1].split()[0])
    is_there = symbols.split()[0].split(".")[0] == symbol[event["name"]].split(".")[0] and offset <= 5
    if "page_fault" in event["name"]:
        faults += 1
        is_there = True
    if count != event["clock"] or not is_there:
        wrong.append(f"event {event['number']} {event['name']}: clock {count} of {event['clock']}, at {symbols.strip()}")
print(f"{len(chosen)} events, {faults} page faults, {len(wrong)} wrong")
for line in wrong:
    print(line)

different = []
# at a fault's clock QEMU stops before its delivery or behind it
for event in random.Random(1).sample([event for event in chosen if "page_fault" not in event["name"]], AGAIN):
    session.seek(event["clock"])
    changed = [name for name, was, now in zip(REGISTERS, seen[event["number"]], registers()) if was != now]
    if changed:
        different.append(f"event {event['number']} {event['name']}: {', '.join(changed)}")
print(f"{AGAIN} visited again, {len(different)} with other registers")
for line in different:
    print(line)
