"""Hands reports on to the targets of the settings: in order, verbatim, never in a webhook's way.

At least once, and hardly ever twice: what was sent is written down four times a second, so only a process that is
killed leaves reports that go out again, under the number by which a target knows them (X-Callboard-Delivery).
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import httpcore
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database, is_away, kind_of
from dashboard.outside.client import Resolve, resolve_host
from dashboard.outside.post import Answer, Limits, open_pool, post
from dashboard.patience import Gone, Sent, judge
from dashboard.render import utc
from dashboard.store.bodies import bytes_of
from dashboard.store.forward import (
    LEASE_SECONDS,
    SECOND,
    Claim,
    Report,
    Standing,
    Step,
    begin,
    claim_due,
    note,
    standing,
)
from dashboard.targets import Target

log = logging.getLogger(__name__)

# Taking in reports outranks handing them on: so many a round for each target, and one transaction for all that a round
# has to write.
A_ROUND = 50
_ROUND_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 1.0
# How long a report that is on its way may still take when the server stops.
_FAREWELL_SECONDS = 1.0
# What h11 lets through as the value of a header; anything else would be refused on our side, for three days.
_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")


@dataclass(eq=False)
class _Run:
    """A claim being worked on. `steps` are not yet written down; after `until` (microseconds) the lease may be over."""

    claim: Claim
    until: int
    steps: list[Step] = field(default_factory=list)
    is_over: bool = False
    is_lost: bool = False
    stumbled: bool = False


class Forward:
    """Sends what is due, one report at a time to each target, for as long as it runs."""

    def __init__(
        self,
        database: Database,
        targets: Sequence[Target],
        allowed_hosts: tuple[str, ...],
        *,
        now: Callable[[], int],
        is_busy: Callable[[], bool] = lambda: False,
        chance: Callable[[], float] = random.random,
        resolve: Resolve = resolve_host,
        limits: Limits | None = None,
    ) -> None:
        """`now` gives microseconds since 1970; while `is_busy`, nothing new is taken up."""
        self._database = database
        self._targets = {target.name: target for target in targets}
        self._allowed_hosts = allowed_hosts
        self._now = now
        self._is_busy = is_busy
        self._chance = chance
        self._resolve = resolve
        self._limits = limits or Limits()
        self._runs: list[_Run] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._is_away = False
        self.standing: list[Standing] = []
        """How the targets stood at the last look."""

    def stop(self) -> None:
        """Begin nothing new: what is on its way may arrive, and is written down."""
        self._stopping = True

    async def run(self) -> None:
        """Round after round until cancelled."""
        await self._begin()
        if not self._targets:
            await asyncio.Event().wait()
        try:
            while True:
                for claim in await self._round():
                    self._set_out(claim)
                await asyncio.sleep(_ROUND_SECONDS if self._runs else _LOOK_SECONDS)
        finally:
            await self._take_leave()

    async def _begin(self) -> None:
        while True:
            try:
                await self._database.write(partial(begin, targets=list(self._targets), now=self._now()))
            except (SQLAlchemyError, OSError) as problem:
                log.warning("forwarding waits for the database: %s", kind_of(problem))
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            else:
                return

    async def _round(self) -> list[Claim]:
        """Write down what was sent since the last round, and claim what is due."""
        runs = [run for run in self._runs if run.steps or run.is_over]
        try:
            self.standing = await self._database.read(partial(standing, targets=list(self._targets), now=self._now()))
            is_due = any(each.is_due for each in self.standing)
            most = A_ROUND if is_due and not self._stopping and not self._is_busy() else 0
            claims = await self._write(runs, most) if runs or most else []
        except (SQLAlchemyError, OSError) as problem:
            self._note_away(problem)
            if not is_away(problem):
                # Of any other failure the leases run out instead, and the reports go out again.
                self._drop(runs)
            return []
        self._is_away = False
        return claims

    def _note_away(self, problem: Exception) -> None:
        # Once: it is tried several times a second, and an outage can last the night.
        if not self._is_away:
            log.warning("forwarding waits for the database: %s", kind_of(problem))
        self._is_away = True

    async def _write(self, runs: Sequence[_Run], most: int) -> list[Claim]:
        notes = [(run, len(run.steps), run.is_over) for run in runs]
        now = self._now()
        held, claims = await self._database.write(
            partial(_write_down_and_claim, notes=notes, targets=list(self._targets), now=now, most=most)
        )
        for (run, written, was_over), is_held in zip(notes, held, strict=True):
            del run.steps[:written]
            run.is_lost = not is_held
            run.until = self._until(now)
            if was_over or run.is_lost:
                self._runs.remove(run)
        return claims

    def _drop(self, runs: Sequence[_Run]) -> None:
        for run in runs:
            run.is_lost = True
            self._runs.remove(run)

    def _until(self, now: int) -> int:
        """Up to when a report may still set out under a lease of this moment, to have arrived before it ends."""
        return now + int((LEASE_SECONDS - 2 * self._limits.total_seconds) * SECOND)

    def _set_out(self, claim: Claim) -> None:
        run = _Run(claim, self._until(self._now()))
        self._runs.append(run)
        task = asyncio.create_task(self._send_all(run), name=f"forward to {claim.target}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_all(self, run: _Run) -> None:
        """The reports of a claim, one after the other, up to the first that does not arrive."""
        target = self._targets[run.claim.target]
        try:
            async with await open_pool(self._allowed_hosts, self._resolve) as pool:
                failures = run.claim.failures
                for report in run.claim.reports:
                    if self._stopping or run.is_lost or self._now() > run.until:
                        break
                    step = await self._send(pool, target, report, failures)
                    run.steps.append(step)
                    if not isinstance(step.outcome, Sent | Gone):
                        break
                    failures = 0 if isinstance(step.outcome, Sent) else failures
        except (SQLAlchemyError, OSError) as problem:
            log.warning("forwarding to %s waits for the database: %s", target.name, kind_of(problem))
        except Exception as problem:  # noqa: BLE001 - one target must not end the forwarding to all others
            # Not at a report: at the way to the target. By its kind alone, for its text could quote the address.
            log.error("forwarding to %s stumbled: %s", target.name, kind_of(problem))
            run.stumbled = True
        finally:
            run.is_over = True

    async def _send(self, pool: httpcore.AsyncConnectionPool, target: Target, report: Report, failures: int) -> Step:
        answer = await self._answer_to(pool, target, report)
        now = self._now()
        if answer is None:
            return Step(report, Gone(), now)
        outcome = judge(
            answer,
            attempt=report.attempt,
            failures=failures,
            age_seconds=(now - report.received_at) / SECOND,
            chance=self._chance(),
        )
        if not isinstance(outcome, Sent):
            log.info("report %d did not go to %s: %s", report.id, target.name, outcome.words)
        return Step(report, outcome, now)

    async def _answer_to(self, pool: httpcore.AsyncConnectionPool, target: Target, report: Report) -> Answer | None:
        """What the target says to a report; None where its bytes are gone. Raises where the database is away."""
        try:
            body = await self._database.read(partial(bytes_of, inbox_id=report.id))
        except (SQLAlchemyError, OSError):
            raise
        except Exception as problem:  # noqa: BLE001 - a body that cannot be unpacked
            return _failed(target, problem)
        if body is None:
            return None
        try:
            return await post(pool, target.url, _headers(report, body.packed_as), body.data, self._limits)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the next attempt must not come any sooner for it
            return _failed(target, problem)

    async def _take_leave(self) -> None:
        """What is on its way gets a moment to arrive, and what was sent is written down, so that it stays sent."""
        self._stopping = True
        if self._sending:
            await asyncio.wait(self._sending, timeout=_FAREWELL_SECONDS)
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._runs:
            with suppress(SQLAlchemyError, OSError):  # TimeoutError is an OSError
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._write(list(self._runs), 0)


def _failed(target: Target, problem: Exception) -> Answer:
    """A fault of ours as an attempt that failed: one without count would be made again every minute, for ever."""
    # By its kind alone: its text could quote the address.
    log.error("a report could not be handed on to %s: %s", target.name, kind_of(problem))
    return Answer(None, f"This board failed to send it ({kind_of(problem)}): a fault of its own, please report it.")


def _headers(report: Report, packed_as: str) -> list[tuple[str, str]]:
    """What a target learns beside the bytes: their type, as it came, and by which number it knows them again.

    `packed_as` is what the bytes are still packed in: a report that this board can unpack is sent unpacked.
    """
    as_it_came = (("Content-Type", report.content_type), ("Content-Encoding", packed_as))
    return [
        *((name, value) for name, value in as_it_came if _PRINTABLE.fullmatch(value)),
        ("X-Callboard-Delivery", str(report.id)),
        ("X-Callboard-Attempt", str(report.attempt)),
        ("X-Callboard-Received", utc(report.received_at)),
    ]


def _write_down_and_claim(
    session: Session, notes: Sequence[tuple[_Run, int, bool]], targets: Sequence[str], now: int, most: int
) -> tuple[list[bool], list[Claim]]:
    """Whether each run still holds its claim, and what is to be sent next."""
    held = [
        # Of one that stumbled the lease stays, so that nothing is tried four times a second.
        note(session, run.claim, run.steps[:written], now, is_over=is_over and not run.stumbled)
        for run, written, is_over in notes
    ]
    return held, claim_due(session, targets, now, most) if most else []
