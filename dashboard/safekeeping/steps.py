"""What all these commands need: an end in a sentence, and patience with a database that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.database import Database, is_away

T = TypeVar("T")

# How long a command waits for a database that is locked or gone.
_PATIENCE_SECONDS = 30
_TRY_AGAIN_SECONDS = 0.1


class CannotRun(Exception):
    """Why a command ends at once, in a sentence for whoever typed it."""


def cause_of(problem: Exception) -> str:
    text = str(getattr(problem, "orig", None) or problem).strip()
    return text.splitlines()[0] if text else type(problem).__name__


def patiently(database: Database, door: Callable[[Callable[[Session], T]], T], step: Callable[[Session], T]) -> T:
    """One step of a command, tried again while the database is away: a server may be writing beside it.

    Raises CannotRun when the database stays away, or refuses the step.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return door(step)
        except SQLAlchemyError as problem:
            if not is_away(problem) or time.monotonic() > until:
                raise CannotRun(
                    f"The database {database.place} does not go along: {cause_of(problem)}. "
                    "What was done so far is kept, and the same command can be run again."
                ) from problem
            time.sleep(_TRY_AGAIN_SECONDS)
