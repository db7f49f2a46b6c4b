"""A whole board with made-up calls, for one look: server, clips and story together, all of it gone at the end."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TextIO

import httpx

from dashboard.simulator.board import Refused, open_board
from dashboard.simulator.board_process import SERVE, BoardProcess, board_process, free_address
from dashboard.simulator.clips import ClipHost
from dashboard.simulator.post import Tally, post_all, post_report
from dashboard.simulator.story import Story

SECONDS_BETWEEN_CALLS = (1.0, 3.0)


async def demo(
    bind: str = "127.0.0.1:8000",
    *,
    calls: int = 1200,
    days: int = 28,
    seed: int | None = None,
    out: TextIO | None = None,
    serve: tuple[str, ...] = SERVE,
) -> int:
    """Runs until SIGINT, SIGTERM or SIGHUP: exit code 0; 1 if the board could not start or ended by itself."""
    play = asyncio.create_task(_play(bind, calls, days, seed, out or sys.stdout, serve))
    stop = asyncio.create_task(_stop_signal())
    try:
        await asyncio.wait({play, stop}, return_when=asyncio.FIRST_COMPLETED)
        if play.done():
            play.result()
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    finally:
        for task in (play, stop):
            task.cancel()
        await asyncio.gather(play, stop, return_exceptions=True)
    print("\nThe demo has ended and removed what it stored.", file=out or sys.stdout)
    return 0


async def _stop_signal() -> None:
    """Ctrl-C, a supervisor, or a closed terminal, unless `nohup` has said that a closed terminal does not matter."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _play(bind: str, calls: int, days: int, seed: int | None, out: TextIO, serve: tuple[str, ...]) -> None:
    """Raises Refused; otherwise goes on until it is cancelled."""
    address = free_address(bind, out)
    with TemporaryDirectory(prefix="callboard-demo-", ignore_cleanup_errors=True) as folder, ClipHost() as clips:
        async with (
            board_process(address, Path(folder), clips.address, serve) as server,
            open_board(f"http://{address}") as board,
        ):
            await server.wait_until_ready(board)
            print(f"The demo board is at http://{address}", file=out, flush=True)
            story = Story(secrets.randbelow(1_000_000) if seed is None else seed, lambda: datetime.now(UTC), clips.url)
            tally = Tally()
            await post_all(board, story.back_story(days, calls), tally)
            if tally.refused:
                raise Refused(f"The demo board did not take every report. {tally.summary()}")
            print(
                f"You see {story.calls:,} made-up calls of the last {days} days, and a new one every second or two; "
                "their recordings can be played. Ctrl-C ends the demo and removes everything.",
                file=out,
                flush=True,
            )
            await _go_on(board, story, tally, server)


async def _go_on(board: httpx.AsyncClient, story: Story, tally: Tally, server: BoardProcess) -> None:
    pauses = Random()  # noqa: S311 - a pause is no secret
    for body in story:
        await post_report(board, body, tally)
        server.refuse_ended()
        await asyncio.sleep(pauses.uniform(*SECONDS_BETWEEN_CALLS))
