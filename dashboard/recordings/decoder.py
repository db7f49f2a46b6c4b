"""Has the beginning of recordings decoded by a process of its own (`decode_process.py`), which it starts and restarts.

The process starts with the first recording and ends after a minute without one, so that a board at rest pays nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROGRAM = Path(__file__).with_name("decode_process.py")
# What a Python needs to start. Secrets of the board stay out of a process that parses bytes from outside.
_PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV"),
    *("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONDONTWRITEBYTECODE"),
)
_LONGEST_ANSWER = 4096


class Sound(NamedTuple):
    """What a file holds.

    `problem`: "unknown" where nothing decodes it, "silent" where it has no sample, "late" where no answer came in time,
    else "".
    """

    container: str = ""
    codec: str = ""
    is_cut: bool = False
    """The file itself announces more than it has."""
    problem: str = ""


UNKNOWN = Sound(problem="unknown")
LATE = Sound(problem="late")


class Decoder:
    """One decoding process; files are examined one after the other. Belongs to one event loop."""

    def __init__(self, *, answer_seconds: float = 20.0, idle_seconds: float = 60.0) -> None:
        """Over a file that takes longer than `answer_seconds` the process is replaced."""
        self._answer_seconds = answer_seconds
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._killed: list[asyncio.subprocess.Process] = []
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def examine(self, path: Path) -> Sound:
        """Decode the beginning of this file. Raises OSError only where no process can be started."""
        async with self._turn:
            self._stay()
            try:
                answer = await self._ask(path)
                # A process that was ended between two files, for lack of memory or by hand, says nothing of this one.
                return answer or await self._ask(path) or UNKNOWN
            finally:
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._kill)

    async def close(self) -> None:
        """End the process; a later `examine` starts another."""
        self._stay()
        self._kill()
        # A loop that closes before it has seen them end keeps their pipes open.
        for process in self._killed:
            await process.wait()

    async def _ask(self, path: Path) -> Sound | None:
        """None where the process ended over it."""
        try:
            async with asyncio.timeout(self._answer_seconds):
                process = await self._running()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(str(path)).encode() + b"\n")
                await process.stdin.drain()
                return Sound(**json.loads(await process.stdout.readline()))
        except TimeoutError:
            self._kill()
            return LATE
        except (ConnectionError, ValueError, TypeError):
            # The pipe is closed, or the answer is none: nothing that this process says is to be believed any more.
            self._kill()
            return None
        except asyncio.CancelledError:
            # Its answer would be read as that to the next file.
            self._kill()
            raise

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # its own folder has modules with common names
                str(_PROGRAM),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LONGEST_ANSWER,
                env={name: value for name, value in os.environ.items() if name in _PASSED_ON},
            )
        return self._process

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _kill(self) -> None:
        self._killed = [process for process in self._killed if process.returncode is None]
        process, self._process = self._process, None
        if process is not None:
            self._killed.append(process)
            with suppress(ProcessLookupError):
                process.kill()
