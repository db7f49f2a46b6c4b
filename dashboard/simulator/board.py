"""The board that is written to: how to reach it, and whether it holds real calls. Sends no reports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from dashboard.program import PROGRAM

# More at once are slower, not faster: from sixteen on the client spends its time on its own connections.
AT_ONCE = 8
ANSWER_WITHIN_SECONDS = 5.0  # the platform gives up then


class Refused(Exception):
    """The sending ended or did not begin; its text says why and what to do."""


@asynccontextmanager
async def open_board(url: str, secret: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A client for one board. The environment's proxies are passed over: they cannot reach this machine's loopback."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, limits=limits, timeout=ANSWER_WITHIN_SECONDS, trust_env=False
    ) as board:
        yield board


async def refuse_real_board(board: httpx.AsyncClient) -> None:
    """Raises Refused where real calls are kept, or where the board does not say: made-up calls cannot be taken out."""
    url = str(board.base_url).rstrip("/")
    try:
        answer = await board.get("/api/board")
    except httpx.TransportError as problem:
        raise Refused(unreachable(board, problem)) from problem
    if answer.status_code in (401, 403):
        raise Refused(
            f"The board at {url} has accounts and does not say what it holds, so it may hold real calls. For a board "
            f"of its own run `{PROGRAM} demo`; to send nevertheless, add --yes-real-board, and the "
            "webhook's secret with --secret."
        )
    real = _real_calls(answer) if answer.status_code == 200 else None
    if real is None:
        raise Refused(
            f"{url} did not answer /api/board as a Callboard does (status {answer.status_code}), "
            "so it may hold real calls. Check --url; to send nevertheless, add --yes-real-board."
        )
    if real > 0:
        raise Refused(
            f"The board at {url} holds {real:,} real {'call' if real == 1 else 'calls'}, "
            "and simulated ones would stand among them. "
            f"For a board of its own run `{PROGRAM} demo`; "
            "to send nevertheless, add --yes-real-board."
        )


def _real_calls(answer: httpx.Response) -> int | None:
    try:
        counts = answer.json()
        return int(counts["calls"]) - int(counts["simulated"])
    except (ValueError, TypeError, KeyError):
        return None


def unreachable(board: httpx.AsyncClient, problem: httpx.TransportError) -> str:
    url = str(board.base_url).rstrip("/")
    if isinstance(problem, httpx.TimeoutException):
        return f"The board at {url} did not answer within {ANSWER_WITHIN_SECONDS:g} s. See what its log says."
    return f"No board answers at {url}. Start one with `{PROGRAM} serve`, or check --url."
