"""How the log is written: one line an event, as text or as JSON, and never with the words of an exception.

An exception quotes what it stumbled over: PostgreSQL the row it refuses, a parser the body it reads, and so somebody's
call. What it is and where it happened stays; imports nothing of the house.
"""

from __future__ import annotations

import errno
import json
import logging
import sys
import traceback
from copy import copy
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

# What they say at INFO and below is about every request or every step.
NOISY = ("httpx", "httpcore", "alembic", "hypercorn")

_Problem = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def set_up(form: str, stream: TextIO | None = None) -> None:
    """Everything that is logged from now on goes to `stream` (standard error), as `text` or `json`.

    Unless whoever runs us as a part of something has said already where it goes.
    """
    if not all(isinstance(each.formatter, AsText | AsJson) for each in logging.getLogger().handlers):
        return
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(AsJson() if form == "json" else AsText())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


class AsText(logging.Formatter):
    """For people: a line, and for a failure the places it went through below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        # The record keeps how a failure was written the first time, and another handler may have written its words.
        record = copy(record)
        record.exc_text = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = words_of(record)
        return super().formatMessage(record)

    def formatException(self, ei: _Problem) -> str:  # noqa: N802
        return where(ei[1])


class AsJson(logging.Formatter):
    """For programs: an object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": words_of(record),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = where(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def words_of(record: logging.LogRecord) -> str:
    """What is said. asyncio adds lines with the repr of the exception, and thereby its words: of it, only the first."""
    words = record.getMessage()
    return words.partition("\n")[0] if record.name == "asyncio" else words


def where(problem: BaseException | None) -> str:
    """The places a failure went through, outermost first, and what kind it is, that of its causes too."""
    parts: list[str] = []
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        parts.insert(0, "".join(traceback.format_tb(problem.__traceback__)) + kind_of(problem))
        problem = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)
    return "\n\n".join(parts)


def kind_of(problem: BaseException) -> str:
    """What a failure is, fit for the log: its name, or that of the database's own, and its code where it has one."""
    problem = getattr(problem, "orig", None) or problem
    code = getattr(problem, "sqlite_errorname", None) or getattr(problem, "sqlstate", None)
    if isinstance(problem, OSError) and problem.errno is not None:
        code = errno.errorcode.get(problem.errno, problem.errno)
    return f"{type(problem).__name__} ({code})" if code else type(problem).__name__
