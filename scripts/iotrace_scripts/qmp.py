"""A QEMU that is controlled through its machine protocol (docs/interop/qmp-spec.rst in QEMU's sources)."""

import errno
import json
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Self, Sequence

from . import child
from .progress import Look, Progress, cpu_seconds
from .say import ADVICE, Problem, Ticker, of_system
from .standstill import Standstill, Subject

ASK_SECONDS = 1.0  # between two questions for the number of instructions
MOST_EVENTS = 64  # that are kept
ANSWER_SECONDS = 60.0  # making a snapshot of the largest guests takes some seconds


def check_written(what: str, said: str, folder: Path) -> None:
    """A log that could not be written is an error, though the guest ran on (replay/replay-internal.c in QEMU's sources)."""
    if "replay write error" in said:
        raise Problem(f"{what}: QEMU cannot write its log in {folder}; {ADVICE[errno.ENOSPC]}")


class NoAnswer(Problem):
    """QEMU runs, and does not answer."""


class Monitor:
    """A connection to QEMU. `arguments` and `descriptor` are for the process."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.socket, self.theirs = socket.socketpair()
        self.pending = b""
        self.events: list[str] = []
        self.patience = ANSWER_SECONDS
        self.owed = 0  # answers
        self.ended = False  # QEMU has closed the connection
        self.executed: int | None = None

    @property
    def descriptor(self) -> int:
        """What the process has to inherit."""
        return self.theirs.fileno()

    @property
    def arguments(self) -> list[str]:
        """QEMU's, for the connection."""
        return ["-chardev", f"socket,id=control,fd={self.descriptor}", "-qmp", "chardev:control"]

    def connect(self) -> None:
        """To be called when the process has started."""
        self.theirs.close()
        self.execute("qmp_capabilities")

    def greet(self) -> None:
        """The same, without waiting for an answer."""
        self.theirs.close()
        self._send("qmp_capabilities")

    def instructions(self) -> int | None:
        """How many instructions the guest has executed, as QEMU last answered; asks again and does not wait. None as long as
        it has not answered."""
        try:
            while self.owed and self.message(0.0) is not None:
                pass
            if not self.owed:
                self._send("query-replay")
        except OSError:
            pass  # it has ended
        return self.executed

    def _send(self, command: str, arguments: dict[str, Any] | None = None) -> None:
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments or {}}).encode() + b"\n")
        self.owed += 1

    def close(self) -> None:
        """Ends the connection."""
        self.theirs.close()
        self.socket.close()

    def disk_failed(self, folder: Path) -> Problem | None:
        """Why QEMU has stopped, if it cannot read or write an image."""
        if self.events[-1:] != ["STOP"] or "BLOCK_IO_ERROR" not in self.events:
            return None
        return Problem(f"{self.what}: QEMU cannot read or write a disk image in {folder}; {ADVICE[errno.ENOSPC]}")

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Run a command and return its result."""
        deadline = time.monotonic() + self.patience
        sent = False
        while True:
            try:
                if not self.owed and not sent:  # what was asked and not waited for is answered first
                    self._send(command, arguments)
                    sent = True
                message = self.message(deadline - time.monotonic())
            except BrokenPipeError:
                raise Problem(f"{self.what}: QEMU ended before '{command}'") from None
            if message is None and self.ended:
                raise Problem(f"{self.what}: QEMU ended before '{command}'")
            if message is None:
                raise NoAnswer(f"{self.what}: QEMU did not answer '{command}' for {self.patience:.0f} s")
            if not sent:
                continue
            if "error" in message:
                raise Problem(f"{self.what}: QEMU refuses '{command}': {message['error'].get('desc')}")
            if "return" in message:
                return message["return"]

    def monitor(self, command: str) -> str:
        """Run a command of the human monitor and return what it printed."""
        return str(self.execute("human-monitor-command", {"command-line": command})).strip()

    def snapshot(self, command: str, name: str, node: str) -> str:
        """Run snapshot-save or snapshot-load on a block node alone; returns why it failed, if it did."""
        job = {"job-id": f"{command}-{name}", "tag": name, "vmstate": node, "devices": [node]}
        self.execute(command, job)
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            jobs = [found for found in self.execute("query-jobs") if found["id"] == job["job-id"]]
            if jobs and jobs[0]["status"] == "concluded":
                self.execute("job-dismiss", {"id": job["job-id"]})
                return str(jobs[0].get("error", ""))
            if not jobs or time.monotonic() > deadline:
                raise Problem(f"{self.what}: QEMU does not finish the job {command}")
            self.message(0.01)

    def message(self, seconds: float) -> dict[str, Any] | None:
        """The next message; None if there is none in this time, or QEMU has ended. Events are kept by name."""
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" not in self.pending:
                ready, _, _ = select.select([self.socket], [], [], max(0.0, deadline - time.monotonic()))
                try:
                    received = self.socket.recv(1 << 16) if ready else b""
                except ConnectionResetError:
                    received = b""
                if not received:
                    self.ended = self.ended or bool(ready)
                    return None
                self.pending += received
            line, _, self.pending = self.pending.partition(b"\n")
            message: dict[str, Any] = json.loads(line)
            if "event" in message:
                self.events = [*self.events[-MOST_EVENTS:], message["event"]]
            elif "QMP" not in message:
                self.owed -= 1
                result = message.get("return")
                if isinstance(result, dict) and "icount" in result:
                    self.executed = result["icount"]
                return message


class Controlled(Monitor):
    """Runs QEMU in a folder; killed when the block ends, if it has not ended."""

    POLL_SECONDS = 0.05

    def __init__(self, command: Sequence[str], folder: Path, what: str, subject: Subject) -> None:
        super().__init__(what)
        self.command, self.folder, self.subject = list(command), folder, subject

    def __enter__(self) -> Self:
        self.ticker = Ticker(self.what)
        self.said = child.said()
        self.process = self._started()
        try:
            self.connect()
        except (OSError, Problem):
            self.process.kill()
            self.process.wait()
            said = self.printed()
            self.close()
            found = of_system(said)
            raise Problem(f"{self.what}: QEMU failed to start in {self.folder}: {said or 'no output'}{f'; {found[1]}' if found else ''}") from None
        return self

    def _started(self) -> subprocess.Popen[bytes]:
        return child.start([*self.command, *self.arguments], self.folder, self.said, [self.descriptor])

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()

    def wait_until(self, met: Callable[[], bool], state: Callable[[], str], seconds: float) -> None:
        """Wait for a condition, which has to be met while QEMU runs."""
        deadline, progress, asked = time.monotonic() + seconds, Progress(), 0.0
        while not met():
            if (now := time.monotonic()) - asked > ASK_SECONDS:
                asked = now
                if progress.stalled(Look(now, cpu_seconds(self.process.pid), self.instructions())):
                    raise Standstill(self.what, self, self.subject)
            if failed := self.disk_failed(self.folder):
                raise failed
            if time.monotonic() > deadline:
                raise Standstill(self.what, self, self.subject, f"not done within {seconds:.0f} s ({state()})")
            if self.process.poll() is not None and not met():
                raise Problem(f"{self.what}: QEMU exited with status {self.process.returncode}\n{self.printed()}")
            began = time.monotonic()
            self.message(self.POLL_SECONDS)
            time.sleep(max(0.0, self.POLL_SECONDS - (time.monotonic() - began)))
            self.ticker.tell(state())

    def replay_to(self, instructions: int, state: Callable[[], str], seconds: float) -> None:
        """Let a replay run until it has executed so many instructions."""
        self.execute("replay-break", {"icount": instructions})
        self.events.clear()
        self.execute("cont")
        self.wait_until(lambda: "STOP" in self.events, state, seconds)
        reached = self.execute("query-replay")["icount"]
        if reached != instructions:
            raise Problem(f"{self.what} stopped at instruction {reached}, not at {instructions}")

    def quit(self) -> str:
        """End QEMU; returns what it printed."""
        self.execute("quit")
        try:
            self.process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            raise Problem(f"{self.what}: QEMU does not exit: killed") from None
        said = self.printed()
        check_written(self.what, said, self.folder)
        if self.process.returncode != 0:
            found = of_system(said)
            raise Problem(f"{self.what}: QEMU exited with status {self.process.returncode} in {self.folder}\n{said}"
                          f"{f'; {found[1]}' if found else ''}")
        return said

    def printed(self) -> str:
        """What QEMU and its plugins printed."""
        self.said.seek(0)
        return child.complaints(self.said.read())
