"""What this process takes of its machine. Imports nothing of the house."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

_PROCESS = Path("/proc/self")
# Some 25 on a board at rest, and as many again for recordings, reports handed on, exports and backups.
_OWN_DESCRIPTORS = 48
# Of glibc's malloc.h, and the sizes that it has at the start.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MMAP_THRESHOLD_BYTES = 128 * 1024
STARTED_AT = time.time()
"""When this process began, in seconds since 1970: near enough, for this is read with the first import."""


def memory_bytes() -> int:
    """What it has in memory now; where the system does not say, the most it ever had."""
    with suppress(OSError, ValueError, IndexError):
        return int((_PROCESS / "statm").read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def return_large_blocks() -> None:
    """Have the C library return what was freed: it else keeps a heap a thread, and large blocks inside of them.

    With ten threads that made exports and pages, 40 MB stayed with the process that it had no use for. To be called
    before threads are started. Only glibc has heaps by thread and a function for that.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 1)
        # Set at all, it stays: the library else raises it with each large block that is freed.
        library.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)


def give_memory_back() -> bool:
    """Return free memory to the system; whether there was any. Only glibc keeps it and has a function for that."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False


def open_descriptors() -> int | None:
    """None where the system does not say. The one that looks is not counted."""
    for folder in (_PROCESS / "fd", Path("/dev/fd")):
        with suppress(OSError):
            return len(os.listdir(folder)) - 1  # noqa: PTH208 - a name each, never a stat
    return None


def most_descriptors() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def most_connections() -> int:
    """How many connections fit beside what the process itself needs: its database, files and listeners."""
    return max(most_descriptors() - _OWN_DESCRIPTORS, 1)


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
