"""strace from outside: failing chosen system calls of a running server, and reading in what order it made them."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bench.servers import NotMeasured

_ROOT = Path(__file__).parents[2]
_UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*)<unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)$")
# Also what an injected call says: "= -1 EIO (Input/output error) (INJECTED)".
_WORKED = re.compile(r"\) += \d+")


def strace_path() -> str:
    """Raises NotMeasured with the sentence of what to install."""
    found = subprocess.run([_ROOT / "bin" / "find-strace"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise NotMeasured(found.stderr.strip().splitlines()[-1])
    return found.stdout.strip()


class Tracing:
    """strace on a running process, all its threads included, while the context lasts; `lines` is what it wrote."""

    def __init__(self, pid: int, log: Path, calls: str, *options: str) -> None:
        self.log = log
        self._command = [strace_path(), "-f", "-y", "-s", "64", "-e", f"trace={calls}", *options]
        self._command += ["-o", str(log), "-p", str(pid)]

    def __enter__(self) -> Tracing:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if "attached" not in said:
            self._process.kill()
            self._process.wait()
            raise NotMeasured(f"strace may not look into the server here: {said.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stderr is not None
        self._process.send_signal(signal.SIGINT)  # lets go of the server; it runs on
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stderr.close()

    @property
    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()


def was_injected(lines: Iterable[str]) -> bool:
    return any("(INJECTED)" in line for line in lines)


def unsynced_answers(lines: Iterable[str]) -> tuple[int, int]:
    """Of one request after the other: how many 2xx went out, and before how many no sync of the log had succeeded.

    From reading a POST to writing its answer there must be an fdatasync on the -wal that came back with 0.
    """
    answers = missing = 0
    is_synced = False
    begun: dict[str, str] = {}  # by thread: what it asked of a call that had not come back yet
    for line in lines:
        is_new = True
        if unfinished := _UNFINISHED.match(line):
            thread, call, asked = unfinished.groups()
            begun[thread] = asked
            rest, is_done = asked, False
        elif resumed := _RESUMED.match(line):
            thread, call, tail = resumed.groups()
            rest, is_done, is_new = begun.pop(thread, "") + tail, True, False
        elif whole := _WHOLE.match(line):
            _, call, rest = whole.groups()
            is_done = True
        else:
            continue
        if call in ("recvfrom", "read") and is_done and '"POST /webhook' in rest:
            is_synced = False
        elif call == "fdatasync" and is_done and "-wal" in rest and _WORKED.search(rest):
            is_synced = True
        elif call in ("sendto", "sendmsg", "write") and is_new and '"HTTP/1.1 2' in rest:
            answers += 1
            missing += not is_synced
    return answers, missing
