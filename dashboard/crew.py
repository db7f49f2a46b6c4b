"""Threads that do blocking work for the event loop, and are left behind when a piece of work does not come back.

A database that stands still answers nothing and refuses nothing: whoever waits for it in a thread waits for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_LEFT_BEHIND = 8
"""More threads than these are not given up: the work then waits, is refused in time, and goes on once one is back."""


class StandsStill(OSError):
    """The work did not come back in time, or did not begin. What became of it is unknown: it may be done yet."""


@dataclass(slots=True, eq=False)
class _Task:
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]
    thread: Thread | None = None
    began: float = 0.0
    """By the monotonic clock; 0 while it waits for a thread."""
    watch: asyncio.TimerHandle | None = None


class Crew:
    """`size` threads. Each piece of work is waited for `patience` seconds, in line and again at work."""

    def __init__(self, name: str, size: int, *, patience: float, start_over: Callable[[], None]) -> None:
        """`start_over` is called, in a thread that takes another's place, before the new one begins to work."""
        self._name = name
        self._size = size
        self._patience = patience
        self._start_over = start_over
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = Lock()
        self._at_work: set[Thread] = set()
        self._left_behind: set[Thread] = set()
        self._is_closed = False

    async def do(self, work: Callable[[], T]) -> T:
        """What `work` gives or raises. Raises StandsStill when it does not come back in time."""
        if self._is_closed:
            raise StandsStill("The database is being closed.")
        loop = asyncio.get_running_loop()
        task = _Task(work, loop, loop.create_future())
        task.watch = loop.call_later(self._patience, self._look_after, task)
        self._tasks.put(task)
        if len(self._at_work) < self._size:
            self._hire(in_place_of=None)
        result: T = await task.done
        return result

    def stop(self) -> None:
        """Take nothing new; what has not begun is refused, what has begun may end."""
        self._is_closed = True
        with suppress(Empty):
            while (task := self._tasks.get_nowait()) is not None:
                _tell(task, None, StandsStill("The database is being closed."))
        with self._lock:
            for _ in (*self._at_work, *self._left_behind):
                self._tasks.put(None)

    def wait(self, seconds: float) -> bool:
        """Whether all threads have ended, after so many seconds at most."""
        until = time.monotonic() + seconds
        for thread in (*self._at_work, *self._left_behind):
            thread.join(max(0.0, until - time.monotonic()))
        return not (self._at_work or self._left_behind)

    def _hire(self, *, in_place_of: Thread | None) -> None:
        with self._lock:
            if in_place_of in self._at_work:
                self._at_work.remove(in_place_of)
                self._left_behind.add(in_place_of)
            if len(self._at_work) >= self._size or len(self._left_behind) > MOST_LEFT_BEHIND:
                return
            # A daemon: one that never comes back must not keep the process from ending.
            thread = Thread(target=self._serve, args=(bool(in_place_of),), name=self._name, daemon=True)
            self._at_work.add(thread)
            thread.start()

    def _look_after(self, task: _Task) -> None:
        """Called until the work is back, though whoever asked may have left: its thread stands still all the same.

        Left alone, that thread kept its place, and all work behind it was refused until the network gave up.
        """
        left = self._patience - (time.monotonic() - task.began)
        if task.began and left > 0:
            task.watch = task.loop.call_later(left, self._look_after, task)
            return
        if not task.done.done():
            task.done.set_exception(StandsStill(f"No answer within {self._patience:g} s."))
        if task.began and not self._is_closed:
            log.warning("A thread (%s) has had no answer for %.1f s and is left behind.", self._name, self._patience)
            self._hire(in_place_of=task.thread)

    def _serve(self, is_substitute: bool) -> None:
        me = current_thread()
        try:
            if is_substitute:
                self._begin_anew()
            while (task := self._tasks.get()) is not None:
                _carry_out(task)
                # What it holds (a batch of reports) must not live on while this thread waits for the next.
                del task
                if not self._is_needed(me):
                    return
        finally:
            with self._lock:
                self._at_work.discard(me)
                self._left_behind.discard(me)

    def _is_needed(self, me: Thread) -> bool:
        """Whether a thread that has done its work goes on; one that was left behind may find its place taken."""
        if me not in self._left_behind:
            return True
        with self._lock:
            self._left_behind.discard(me)
            if len(self._at_work) >= self._size:
                return self._is_closed  # then an end is in line for each thread, and this one takes its own
            self._at_work.add(me)
        self._begin_anew()
        return True

    def _begin_anew(self) -> None:
        try:
            self._start_over()
        except Exception:
            log.exception("a thread (%s) could not begin anew", self._name)


def _carry_out(task: _Task) -> None:
    if task.done.done():
        _tell(task, None, None)
        return
    task.thread = current_thread()
    task.began = time.monotonic()
    try:
        result = task.work()
    except BaseException as problem:  # noqa: BLE001 - whoever asked hears of it, whatever it is
        _tell(task, None, problem)
    else:
        _tell(task, result, None)


def _tell(task: _Task, result: object, problem: BaseException | None) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        task.loop.call_soon_threadsafe(_settle, task, result, problem)


def _settle(task: _Task, result: object, problem: BaseException | None) -> None:
    if task.watch is not None:
        task.watch.cancel()
    if task.done.done():
        return
    if problem is None:
        task.done.set_result(result)
    else:
        task.done.set_exception(problem)
