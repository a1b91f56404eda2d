"""Functions for gdb's expressions: the objects of the trace by their numbers, and the task that runs."""

from typing import Callable

import gdb

from ..say import Problem
from .session import current


class _Object(gdb.Function):
    """A function that returns the address of an object, as a pointer of its type."""

    def __init__(self, name: str, kind: str, find: Callable[[int], int], doc: str) -> None:
        self.__doc__ = doc
        super().__init__(name)
        self.kind, self.find = kind, find

    def invoke(self, number: gdb.Value) -> gdb.Value:
        try:
            address = self.find(int(number))
        except Problem as problem:
            raise gdb.GdbError(str(problem)) from None
        return gdb.Value(address).cast(gdb.lookup_type(self.kind).pointer())


class _Current(gdb.Function):
    """$current(): the task that runs, a struct task_struct *."""

    def __init__(self) -> None:
        super().__init__("current")

    def invoke(self) -> gdb.Value:
        return running()


def running() -> gdb.Value:
    """The task that runs (arch/x86/include/asm/current.h). In 6.2 to 6.14 it is in pcpu_hot (e57ef2ed97c1)."""
    hot = gdb.lookup_global_symbol("pcpu_hot")
    if hot:
        return next(_this_cpu("pcpu_hot").dereference()[field] for field in _plain(hot.type) if field.name == "current_task")
    pointer = gdb.lookup_type("struct task_struct").pointer()
    return _this_cpu("current_task").cast(pointer.pointer()).dereference()


def _this_cpu(name: str) -> gdb.Value:
    """The address of this CPU's instance of a per-CPU variable."""
    frame = gdb.newest_frame()
    bases = [int(frame.read_register(register)) % 2**64 for register in ("gs_base", "k_gs_base")]
    base = next((base for base in bases if base >> 63), None)  # the other one is the user's
    if base is None:
        raise gdb.GdbError("no per-CPU data: the guest has not set up its processor yet")
    variable = gdb.parse_and_eval(f"&{name}")
    # Up to 6.14 per-CPU symbols are offsets from 0, to which gdb adds the slide as to all others.
    start = int(gdb.parse_and_eval("(unsigned long)&__per_cpu_start"))
    place = int(variable) - (start if start == current().slide else 0)
    return gdb.Value((base + place) % 2**64).cast(variable.type)


class _PerCpu(gdb.Function):
    """$this_cpu("NAME"): the address of this CPU's instance of a per-CPU variable."""

    def __init__(self) -> None:
        super().__init__("this_cpu")

    def invoke(self, name: gdb.Value) -> gdb.Value:
        return _this_cpu(name.string())


class _ContainerOf(gdb.Function):
    """$container_of(POINTER, "TYPE", "MEMBER"): the object of a type whose member is there."""

    def __init__(self) -> None:
        super().__init__("container_of")

    def invoke(self, pointer: gdb.Value, kind: gdb.Value, member: gdb.Value) -> gdb.Value:
        outer = gdb.lookup_type(kind.string()).pointer()
        offset = int(gdb.parse_and_eval(f"(unsigned long)&(({kind.string()} *)0)->{member.string()}"))
        return gdb.Value((int(pointer) - offset) % 2**64).cast(outer)


def _plain(kind: gdb.Type) -> list[gdb.Field]:
    """The fields of a type, with those of unnamed parts."""
    found = []
    for field in kind.fields():
        if field.name:
            found.append(field)
        else:
            found += _plain(field.type)
    return found


_Object("bio", "struct bio", lambda number: int(current().trace.bio(number)["pointer"], 16),
        "$bio(N): the bio with this number, a struct bio *. What lies there is that bio from its queueing to its end only.")
_Object("rq", "struct request", lambda number: current().trace.request(number),
        "$rq(N): the request with this number, a struct request *. Request and tag are used again when it has completed.")
_Current()
_PerCpu()
_ContainerOf()
