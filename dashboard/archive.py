"""Keeps recordings: takes what is due from the store, has it fetched, notes how it went. Never in a webhook's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database, is_away, kind_of
from dashboard.disk import Reserve
from dashboard.models import Recording
from dashboard.recordings.fetch import Fetched, Outcome, Refused, fetch_recording
from dashboard.recordings.keep import Keep
from dashboard.store.recordings import any_due, claim_due, note_failed, note_kept

log = logging.getLogger(__name__)

AT_ONCE = 4
# Taking in reports outranks keeping audio: all that recordings have to write goes into one transaction a round, or ten
# thousand links that fail at once would stand in the writer's way.
_ROUND_SECONDS = 0.25
_LOOK_SECONDS = 1.0

Note = Callable[[Session], None]


class Archive:
    """Fetches due recordings, a few at a time, for as long as it runs."""

    def __init__(self, database: Database, keep: Keep, allowed_hosts: tuple[str, ...]) -> None:
        self._database = database
        self._keep = keep
        self.room = Reserve(keep.folder, keep.low_water)
        """What recordings leave free; reports go on far below it."""
        self._allowed_hosts = allowed_hosts
        self._under_way = 0
        self._notes: list[Note] = []

    async def run(self) -> None:
        """Round after round until cancelled; whatever is not done then comes up again later."""
        await self._keep.sweep()
        async with asyncio.TaskGroup() as fetches:
            while True:
                for recording in await self._round():
                    self._under_way += 1
                    fetches.create_task(self._fetch(recording))
                await asyncio.sleep(_ROUND_SECONDS if self._under_way or self._notes else _LOOK_SECONDS)

    async def _round(self) -> list[Recording]:
        """Write down what has ended since the last round, and claim what is due."""
        # While there is no room nothing is claimed: nine attempts would run out, and a disk can stay full for days.
        free = 0 if self.room.is_short() else AT_ONCE - self._under_way
        notes, self._notes = self._notes, []
        try:
            if not notes and not (free and await self._database.read(any_due)):
                return []
            return await self._database.write(partial(_write_down_and_claim, notes=notes, most=free))
        except (SQLAlchemyError, OSError) as problem:
            log.warning("recordings wait for the database: %s", kind_of(problem))
            if is_away(problem):
                # What was fetched is not fetched again for that. Of any other failure the claims run out instead.
                self._notes = notes + self._notes
            return []

    async def _fetch(self, recording: Recording) -> None:
        try:
            outcome = await fetch_recording(recording.url, allowed_hosts=self._allowed_hosts, into=self._keep)
        except Exception as problem:  # noqa: BLE001 - one recording must not end the keeping of all others
            # The claim runs out and the recording comes up again.
            log.error("a recording could not be fetched: %s", kind_of(problem))
        else:
            self._notes.append(_note_of(recording, outcome))
        finally:
            self._under_way -= 1


def _note_of(recording: Recording, outcome: Outcome) -> Note:
    if isinstance(outcome, Fetched):
        return partial(note_kept, claimed=recording, file=outcome.name, content_type=outcome.type, size=outcome.size)
    return partial(note_failed, claimed=recording, problem=outcome.why, is_final=isinstance(outcome, Refused))


def _write_down_and_claim(session: Session, notes: Sequence[Note], most: int) -> list[Recording]:
    for note in notes:
        note(session)
    return list(claim_due(session, most)) if most else []
