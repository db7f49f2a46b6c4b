"""Sends webhook bodies to a board as the platform would, and says how it answered. Does not know what a body tells."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import httpx

from dashboard.simulator.board import AT_ONCE, Refused, open_board, refuse_real_board, unreachable
from dashboard.simulator.options import SimulateOptions
from dashboard.simulator.progress import Progress
from dashboard.simulator.story import Story

GIVE_UP_AFTER = 20  # unanswered reports in a row
WEBHOOK = "/webhook/call-webhook"


@dataclass
class Tally:
    """How the board answered. `slowest` in seconds, over the reports that were answered."""

    answers: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    unanswered_in_a_row: int = 0
    slowest: float = 0.0

    @property
    def sent(self) -> int:
        return self.answers.total() + self.unanswered

    @property
    def refused(self) -> int:
        return self.sent - self.answers[200]

    def note_answer(self, status: int, seconds: float) -> None:
        self.answers[status] += 1
        self.unanswered_in_a_row = 0
        self.slowest = max(self.slowest, seconds)

    def note_silence(self) -> None:
        self.unanswered += 1
        self.unanswered_in_a_row += 1

    def summary(self) -> str:
        others = [f"{count:,} with {status}" for status, count in sorted(self.answers.items()) if status != 200]
        if self.unanswered:
            others.append(f"{self.unanswered:,} without an answer")
        return (
            f"Sent {self.sent:,} reports: {self.answers[200]:,} answered 200, "
            f"other answers: {', '.join(others) or 'none'}; slowest {self.slowest * 1000:,.0f} ms."
        )


class Pace:
    """Turns at even distances, shared by all senders; a sender that comes late goes at once. Rate 0: no waiting."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next_at = time.monotonic()

    async def turn(self) -> None:
        wait = self._next_at - time.monotonic()
        self._next_at = max(self._next_at, time.monotonic()) + self._gap
        if wait > 0:
            await asyncio.sleep(wait)


async def post_report(board: httpx.AsyncClient, body: bytes, tally: Tally) -> None:
    """One report, one answer; raises Refused once the board has been silent for too many in a row."""
    began = time.monotonic()
    try:
        answer = await board.post(WEBHOOK, content=body, headers={"Content-Type": "application/json"})
    except httpx.TransportError as problem:
        tally.note_silence()
        if tally.unanswered_in_a_row >= GIVE_UP_AFTER:
            raise Refused(unreachable(board, problem)) from problem
    else:
        tally.note_answer(answer.status_code, time.monotonic() - began)


async def post_all(
    board: httpx.AsyncClient,
    bodies: Iterable[bytes],
    tally: Tally,
    *,
    rate: float = 0.0,
    at_once: int = AT_ONCE,
    shown: Callable[[], None] = lambda: None,
) -> None:
    """Every body, in order of departure; a few are under way at once. `shown` is called after each answer."""
    source, pace, door = iter(bodies), Pace(rate), asyncio.Lock()
    is_over = False

    async def next_body() -> bytes | None:
        nonlocal is_over
        async with door:  # a body is made when its turn has come, not before: it carries the time
            if is_over:
                return None
            await pace.turn()
            body = next(source, None)
            is_over = body is None
            return body

    async def send() -> None:
        while (body := await next_body()) is not None:
            await post_report(board, body, tally)
            shown()

    try:
        async with asyncio.TaskGroup() as senders:
            for _ in range(at_once):
                senders.create_task(send())
    except* Refused as refusals:
        raise Refused(str(refusals.exceptions[0])) from None


def read_replay(path: Path) -> list[bytes]:
    """The bodies of a file of JSON lines, byte for byte; empty lines are passed over. Raises Refused."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as problem:
        raise Refused(f"{path} cannot be read: {problem.strerror}. Check --replay.") from problem
    bodies = [line.removesuffix(b"\r") for line in lines if line.strip()]
    if not bodies:
        raise Refused(f"{path} holds no webhook bodies: --replay takes one JSON body on each line.")
    return bodies


async def simulate(options: SimulateOptions, out: TextIO | None = None) -> int:
    """Exit code 0 if every report was answered 200, else 1."""
    out = out or sys.stdout
    tally = Tally()
    try:
        async with open_board(options.url, options.secret) as board:
            if not options.yes_real_board:
                await refuse_real_board(board)
            await _send(board, options, tally, out)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    finally:
        if tally.sent:
            print(tally.summary(), file=out)
    return 0 if tally.refused == 0 else 1


async def _send(board: httpx.AsyncClient, options: SimulateOptions, tally: Tally, out: TextIO) -> None:
    if options.replay:
        recorded = read_replay(options.replay)
        print(f"Sending {len(recorded):,} recorded reports to {options.url}.", file=out)
        await _send_shown(board, recorded, tally, Progress(len(recorded), out), lambda: tally.sent, options.rate)
        return
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    story = Story(seed, lambda: datetime.now(UTC), options.clips)
    print(f"Sending {options.calls:,} simulated calls to {options.url}, seed {seed}.", file=out)
    progress = Progress(options.calls, out)
    await _send_shown(board, story.take(options.calls), tally, progress, lambda: story.calls, options.rate)


async def _send_shown(
    board: httpx.AsyncClient,
    bodies: Iterable[bytes],
    tally: Tally,
    progress: Progress,
    done: Callable[[], int],
    rate: float,
) -> None:
    def show() -> None:
        progress.show(done(), tally.sent, tally.refused)

    try:
        await post_all(board, bodies, tally, rate=rate, shown=show)
    finally:
        progress.close()
