"""Run by gdb in scripts/gdb: the clocks at which it stops on its way to the end of the workload.

`PLACE` is where: a location, or `watch` and an expression. gdb stops behind a write, one instruction later than it.
"""

import gdb
from iotrace_scripts.debugger.session import current, quiet

session = current()
end = next(mark["clock"] for mark in session.trace.info["marks"] if mark["name"] == "end")
watched = PLACE.startswith("watch ")  # noqa: F821  (set by the test)
gdb.execute(PLACE if watched else f"break {PLACE}", to_string=True)  # noqa: F821
while True:
    session.replay.stop_at(end)
    with quiet():
        gdb.execute("continue", to_string=True)
    if (clock := session.replay.clock()) >= end:
        break
    print(f"stop {clock - watched}")
