"""The log: one line an event, in either form, and never the words of an exception."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from dashboard.logs import AsJson, AsText, kind_of, where

CANARY = "+91 98765 43210"


@pytest.fixture(params=["text", "json"])
def logged(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of its own, and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(AsText() if request.param == "text" else AsJson())
    log = logging.getLogger(f"dashboard.{request.param}")
    log.addHandler(handler)
    yield log, stream
    log.removeHandler(handler)


def fail() -> None:
    try:
        raise KeyError(CANARY)
    except KeyError as problem:
        raise ValueError(f"no call with {CANARY}") from problem


def test_a_failure_is_told_by_its_kind_and_place_and_not_by_its_words(
    logged: tuple[logging.Logger, io.StringIO],
) -> None:
    log, stream = logged
    try:
        fail()
    except ValueError:
        log.exception("a page failed")
    text = stream.getvalue()
    assert CANARY not in text
    for expected in ("a page failed", "ValueError", "KeyError", "test_logs.py", "in fail"):
        assert expected in text


def test_what_another_handler_has_written_of_a_failure_is_not_taken_over(
    logged: tuple[logging.Logger, io.StringIO],
) -> None:
    log, stream = logged
    other = logging.StreamHandler(io.StringIO())
    log.handlers.insert(0, other)
    try:
        fail()
    except ValueError:
        log.exception("a page failed")
    assert CANARY in other.stream.getvalue()
    assert CANARY not in stream.getvalue()
    log.removeHandler(other)


def test_an_event_is_one_line(logged: tuple[logging.Logger, io.StringIO]) -> None:
    log, stream = logged
    log.warning("storing waits for %s", "the database")
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "storing waits for the database" in line
    assert "warning" in line.lower()


def test_json_can_be_read_by_programs() -> None:
    record = logging.LogRecord("dashboard.intake", logging.WARNING, "", 0, "नमस्ते %d\nb", (3,), None)
    line = json.loads(AsJson().format(record))
    assert (line["level"], line["logger"], line["message"]) == ("warning", "dashboard.intake", "नमस्ते 3\nb")
    assert line["at"].endswith("+00:00")
    assert set(line) == {"at", "level", "logger", "message"}


@pytest.mark.parametrize("form", [AsText(), AsJson()])
def test_what_asyncio_adds_about_a_lost_task_is_left_out(form: logging.Formatter) -> None:
    words = f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{CANARY}')>"
    text = form.format(logging.LogRecord("asyncio", logging.ERROR, "", 0, words, (), None))
    assert "never retrieved" in text
    assert CANARY not in text


def test_a_kind_has_its_code_where_there_is_one() -> None:
    assert kind_of(ValueError("secret")) == "ValueError"
    assert kind_of(OSError(28, "No space left on device")) == "OSError (ENOSPC)"


def test_an_exception_that_is_its_own_cause_is_told_once() -> None:
    problem = ValueError("a")
    problem.__cause__ = problem
    assert where(problem) == "ValueError"
