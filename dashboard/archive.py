"""Keeps recordings: takes what is due from the store, has it fetched, notes how it went. Never in a webhook's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database, is_away, kind_of
from dashboard.disk import Reserve
from dashboard.models import Recording
from dashboard.recordings.audio import UNKNOWN_CODEC, is_played, media_type
from dashboard.recordings.decoder import Decoder
from dashboard.recordings.fetch import fetch_recording
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import DISK, Access, Failed, Fetched, Outcome, Refused, is_gone
from dashboard.store.recordings import (
    any_due,
    claim_due,
    note_empty,
    note_examined,
    note_failed,
    note_kept,
    open_causes,
    release,
    unexamined,
)

log = logging.getLogger(__name__)

AT_ONCE = 4
# Taking in reports outranks keeping audio: all that recordings have to write goes into one transaction a round, or ten
# thousand links that fail at once would stand in the writer's way.
_ROUND_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_CAUSES_AT_ONCE = 200
EXAMINE_AFTER_SECONDS = 60.0
"""A board that starts has its index to read first, and pages that come back."""

Note = Callable[[Session], None]


class Archive:
    """Fetches due recordings, a few at a time, for as long as it runs."""

    def __init__(
        self, database: Database, keep: Keep, access: Access, *, examine_after_seconds: float = EXAMINE_AFTER_SECONDS
    ) -> None:
        self._database = database
        self._keep = keep
        self.room = Reserve(keep.folder, keep.low_water)
        """What recordings leave free; reports go on far below it."""
        self._access = access
        self._decoder = Decoder()
        self._examine_after = examine_after_seconds
        self._under_way = 0
        self._notes: list[Note] = []

    async def run(self) -> None:
        """Round after round until cancelled; whatever is not done then comes up again later."""
        await self._keep.sweep()
        try:
            async with asyncio.TaskGroup() as fetches:
                fetches.create_task(self._until_done(self._release))
                fetches.create_task(self._until_done(self._examine_old))
                while True:
                    for recording in await self._round():
                        self._under_way += 1
                        fetches.create_task(self._fetch(recording))
                    await asyncio.sleep(_ROUND_SECONDS if self._under_way or self._notes else _LOOK_SECONDS)
        finally:
            await self._decoder.close()

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this once; begin again where the database goes away meanwhile."""
        while True:
            try:
                await work()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("recordings wait for the database: %s", kind_of(problem))
                if is_away(problem):
                    await asyncio.sleep(_LOOK_SECONDS)
                    continue
            except Exception as problem:  # noqa: BLE001 - recordings that are due must be fetched all the same
                log.error("recordings could not be looked through: %s", kind_of(problem))
            return

    async def _release(self) -> None:
        """Have those fetched again that a setting kept away which has changed since: settings change with a start."""
        causes = await self._database.read(open_causes)
        gone = [cause for cause in causes if is_gone(cause, self._access)]
        for at in range(0, len(gone), _CAUSES_AT_ONCE):
            some = gone[at : at + _CAUSES_AT_ONCE]
            released = 1
            while released:
                released = await self._database.write(partial(release, causes=some))
                # Reports are written between two steps.
                await asyncio.sleep(_ROUND_SECONDS)

    async def _examine_old(self) -> None:
        """Decode what an earlier version kept by its first bytes alone, so that no page has a player that is dead."""
        await asyncio.sleep(self._examine_after)
        last_id = 0
        while old := await self._database.read(partial(unexamined, after=last_id)):
            last_id = old[-1].call_id
            notes = [note for recording in old if (note := await self._examined(recording)) is not None]
            if notes:
                await self._database.write(partial(_write_down_and_claim, notes=notes, most=0))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _examined(self, recording: Recording) -> Note | None:
        path = self._keep.path(recording.file)
        if not await asyncio.to_thread(path.exists):
            return None
        sound = await self._decoder.examine(path)
        if sound.problem == "late":
            return None  # the next start tries it again
        if sound.problem == "silent":
            return partial(note_empty, examined=recording)
        codec = sound.codec or UNKNOWN_CODEC
        content_type = media_type(sound.container) if sound.codec else recording.content_type
        shows = not is_played(content_type, codec)
        return partial(note_examined, examined=recording, content_type=content_type, codec=codec, shows=shows)

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
            outcome = await fetch_recording(recording.url, access=self._access, into=self._keep, decoder=self._decoder)
        except Exception as problem:  # noqa: BLE001 - one recording must not end the keeping of all others
            # The claim runs out and the recording comes up again.
            log.error("a recording could not be fetched: %s", kind_of(problem))
        else:
            self._notes.append(_note_of(recording, outcome))
        finally:
            self._under_way -= 1


def _note_of(recording: Recording, outcome: Outcome) -> Note:
    if isinstance(outcome, Fetched):
        return partial(
            note_kept,
            claimed=recording,
            file=outcome.name,
            content_type=outcome.type,
            size=outcome.size,
            codec=outcome.codec,
            cut_off=outcome.cut_off,
        )
    return partial(
        note_failed,
        claimed=recording,
        problem=outcome.why,
        cause=outcome.cause,
        is_final=isinstance(outcome, Refused),
        wait_seconds=outcome.wait_seconds if isinstance(outcome, Failed) else None,
        is_counted=outcome.cause != DISK,
    )


def _write_down_and_claim(session: Session, notes: Sequence[Note], most: int) -> list[Recording]:
    for note in notes:
        note(session)
    return list(claim_due(session, most)) if most else []
