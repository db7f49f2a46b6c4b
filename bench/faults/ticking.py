"""The board with a tick in its loop, every 10 ms: how late was one ever? `python -m bench.faults.ticking FILE serve`.

Only from inside is a stall of the loop seen as what it is: a request from outside waits for the loop several times.
Every tick that was late stands in FILE: the moment on the monotonic clock, and by how much, in seconds.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from dashboard.__main__ import main

EVERY_SECONDS = 0.01
TOLD_SECONDS = 0.02


class TickingLoop(asyncio.SelectorEventLoop):
    """Writes every late tick into a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file.open("w", buffering=1)

    def run_forever(self) -> None:
        self._wait()
        super().run_forever()

    def close(self) -> None:
        self._file.close()
        super().close()

    def _wait(self) -> None:
        self.call_later(EVERY_SECONDS, self._tick, self.time() + EVERY_SECONDS)

    def _tick(self, due: float) -> None:
        now = self.time()
        if now - due > TOLD_SECONDS:
            self._file.write(f"{now} {now - due}\n")
        self._wait()


class _Policy(asyncio.DefaultEventLoopPolicy):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return TickingLoop(self._file)


def longest_stall(file: Path, since: float) -> float:
    """By how many seconds a tick was late at worst, from a moment of the monotonic clock on; 0 if none was."""
    lines = (line.split() for line in file.read_text().splitlines())
    return max((float(late) for at, late in lines if float(at) >= since), default=0.0)


if __name__ == "__main__":
    asyncio.set_event_loop_policy(_Policy(Path(sys.argv[1])))
    sys.exit(main(sys.argv[2:]))
