"""Functions for gdb's expressions: the objects of the trace by their numbers, and the task that runs."""

import functools
from typing import Callable

import gdb

from ..say import Problem
from .answers import State
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
    """The task that runs (arch/x86/include/asm/current.h)."""
    pointer = gdb.lookup_type("struct task_struct").pointer()
    return _at(_base(), pointer, _hot("current_task", "current_task")).dereference()


def stack_pointer() -> int:
    """The stack pointer."""
    return int(gdb.newest_frame().read_register("rsp")) % 2**64


def state(task: gdb.Value) -> State:
    """What an event here would have, while a task runs (`running`); as the tracer reads it."""
    try:
        context = _preempt_count(task)
    except gdb.error:
        context = None
    return State(int(task) % 2**64, context, stack_pointer())  # a recorded guest has one vCPU


def _preempt_count(task: gdb.Value) -> int:
    """The kernel's count (arch/x86/include/asm/preempt.h); before 3.13 it was in thread_info."""
    unsigned = gdb.lookup_type("unsigned int")
    try:
        place = _hot("preempt_count", "__preempt_count")
    except gdb.error:
        return int(task["stack"].cast(gdb.lookup_type("struct thread_info").pointer())["preempt_count"]) % 2**32
    return int(_at(_base(), unsigned, place).dereference())


@functools.cache
def _hot(member: str, variable: str) -> int:
    """Where a variable lies that 6.2 to 6.14 have in pcpu_hot (e57ef2ed97c1 and the commits behind it)."""
    hot = gdb.lookup_global_symbol("pcpu_hot")
    if not hot:
        return _place(variable)
    offset = next(field.bitpos // 8 for field in _plain(hot.type) if field.name == member)
    return _place("pcpu_hot") + offset


@functools.cache
def _place(name: str) -> int:
    """Where a per-CPU variable lies, from the base of a CPU's. Up to 6.14 their symbols are offsets from 0, to which gdb adds
    the slide as to all others."""
    start = int(gdb.parse_and_eval("(unsigned long)&__per_cpu_start"))
    return int(gdb.parse_and_eval(f"(unsigned long)&{name}")) - (start if start == current().slide else 0)


def _base() -> int:
    frame = gdb.newest_frame()
    for register in ("gs_base", "k_gs_base"):
        if (base := int(frame.read_register(register)) % 2**64) >> 63:  # the other one is the user's
            return base
    raise gdb.GdbError("no per-CPU data: the guest has not set up its processor yet")


def _at(base: int, kind: gdb.Type, place: int) -> gdb.Value:
    return gdb.Value((base + place) % 2**64).cast(kind.pointer())


class _PerCpu(gdb.Function):
    """$this_cpu("NAME"): the address of this CPU's instance of a per-CPU variable."""

    def __init__(self) -> None:
        super().__init__("this_cpu")

    def invoke(self, name: gdb.Value) -> gdb.Value:
        return _at(_base(), gdb.parse_and_eval(name.string()).type, _place(name.string()))


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
