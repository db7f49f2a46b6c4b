"""Sending reports to a real, tiny HTTP server: what is sent, how it is counted, when it is refused."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dashboard.simulator.board import AT_ONCE
from dashboard.simulator.options import SimulateOptions, add_simulate_arguments, options_from
from dashboard.simulator.post import GIVE_UP_AFTER, simulate

EMPTY = b'{"calls": 0, "simulated": 0}'


@dataclass
class TinyBoard:
    """Answers HTTP/1.1 and remembers what came. `statuses` are the webhook's in turn; the last one stays."""

    counts: bytes = EMPTY
    counts_status: int = 200
    statuses: list[int] = field(default_factory=lambda: [200])
    silent: bool = False
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    arrivals: list[float] = field(default_factory=list)
    connections: int = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self.answer(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.tokens.add(headers.get("authorization", ""))
        assert not {"origin", "sec-fetch-site"} & headers.keys()
        if request == "GET /api/board HTTP/1.1":
            status, body = self.counts_status, self.counts
        else:
            assert request == "POST /webhook/call-webhook HTTP/1.1"
            self.bodies.append(await reader.readexactly(int(headers["content-length"])))
            self.arrivals.append(time.monotonic())
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            body = b'{"status":"success"}'
            if self.silent:
                raise ConnectionError
        writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


@asynccontextmanager
async def listening(board: TinyBoard) -> AsyncIterator[TinyBoard]:
    server = await asyncio.start_server(board.converse, "127.0.0.1", 0)
    async with server:
        board.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield board


async def unused_url() -> str:
    async with listening(TinyBoard()) as board:
        return board.url


def fast(board: TinyBoard, **changes: object) -> SimulateOptions:
    return SimulateOptions(**{"url": board.url, "rate": 0.0, "seed": 1, **changes})  # type: ignore[arg-type]


async def test_every_report_of_so_many_calls_arrives_once() -> None:
    async with listening(TinyBoard()) as board:
        said = io.StringIO()
        assert await simulate(fast(board, calls=300), said) == 0
    reports = [json.loads(body)["data"] for body in board.bodies]
    assert len({report.get("callSid") or json.dumps(report) for report in reports}) == 300
    assert all(report["call_metadata"]["_simulated"] is True for report in reports)
    assert (
        f"Sent {len(reports):,} reports: {len(reports):,} answered 200, other answers: none; slowest" in said.getvalue()
    )


async def test_connections_are_kept_and_bounded() -> None:
    async with listening(TinyBoard()) as board:
        await simulate(fast(board, calls=300), io.StringIO())
    assert board.connections <= AT_ONCE


async def test_another_answer_than_200_is_counted_and_told() -> None:
    async with listening(TinyBoard(statuses=[503, 401, 503, 200])) as board:
        said = io.StringIO()
        assert await simulate(fast(board, calls=50), said) == 1
    assert f"{len(board.bodies) - 3:,} answered 200, other answers: 1 with 401, 2 with 503;" in said.getvalue()


async def test_the_secret_goes_along_as_a_bearer_token() -> None:
    async with listening(TinyBoard()) as board:
        await simulate(fast(board, calls=5, secret="open sesame"), io.StringIO())
    assert board.tokens == {"Bearer open sesame"}


async def test_a_replay_is_sent_byte_for_byte(tmp_path: Path) -> None:
    lines = ['{"event": "call_ended",  "data": {"name":"सुनीता"}}'.encode(), b"not json \xff\xfe", b'{"a":1}']
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_bytes(lines[0] + b"\n\n" + lines[1] + b"\r\n" + lines[2])
    async with listening(TinyBoard()) as board:
        assert await simulate(fast(board, replay=recorded), io.StringIO()) == 0
    assert sorted(board.bodies) == sorted(lines)


@pytest.mark.parametrize("content", [None, b"", b"\n \n"])
async def test_a_replay_without_bodies_says_so(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = tmp_path / "recorded.jsonl"
    if content is not None:
        recorded.write_bytes(content)
    async with listening(TinyBoard()) as board:
        assert await simulate(fast(board, replay=recorded), io.StringIO()) == 1
    assert "--replay" in capsys.readouterr().err
    assert board.bodies == []


async def test_reports_leave_at_the_rate_asked_for() -> None:
    async with listening(TinyBoard()) as board:
        await simulate(fast(board, calls=20, rate=100), io.StringIO())
    took = board.arrivals[-1] - board.arrivals[0]
    assert took >= (len(board.arrivals) - 1) / 100 * 0.9


async def test_a_board_with_real_calls_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    async with listening(TinyBoard(counts=b'{"calls": 1291, "simulated": 7}')) as board:
        assert await simulate(fast(board), io.StringIO()) == 1
        said = capsys.readouterr().err
        assert f"{board.url} holds 1,284 real calls" in said
        assert "python -m dashboard demo" in said
        assert "--yes-real-board" in said
        assert board.bodies == []


async def test_a_board_with_simulated_calls_only_is_welcome() -> None:
    async with listening(TinyBoard(counts=b'{"calls": 7, "simulated": 7}')) as board:
        assert await simulate(fast(board, calls=5), io.StringIO()) == 0
    assert board.bodies


async def test_real_calls_are_no_hindrance_when_that_is_wanted() -> None:
    async with listening(TinyBoard(counts=b'{"calls": 9, "simulated": 0}')) as board:
        assert await simulate(fast(board, calls=5, yes_real_board=True), io.StringIO()) == 0
    assert board.bodies


@pytest.mark.parametrize(
    ("status", "counts", "sentence"),
    [
        (404, b"", "did not answer /api/board as a Callboard does (status 404)"),
        (200, b"<html>", "did not answer /api/board as a Callboard does (status 200)"),
        (200, b"[]", "did not answer /api/board as a Callboard does (status 200)"),
        (200, b'{"calls": null, "simulated": 0}', "did not answer /api/board as a Callboard does (status 200)"),
        (401, b"", "has accounts and does not say what it holds"),
        (403, b"", "has accounts and does not say what it holds"),
    ],
)
async def test_a_board_that_does_not_say_what_it_holds_is_refused(
    status: int, counts: bytes, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with listening(TinyBoard(counts=counts, counts_status=status)) as board:
        assert await simulate(fast(board), io.StringIO()) == 1
    assert sentence in capsys.readouterr().err
    assert board.bodies == []


@pytest.mark.parametrize("yes_real_board", [False, True])
async def test_where_nothing_listens_one_sentence_helps(
    yes_real_board: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    url = await unused_url()
    assert await simulate(SimulateOptions(url=url, rate=0, yes_real_board=yes_real_board), io.StringIO()) == 1
    said = capsys.readouterr().err
    assert said == f"No board answers at {url}. Start one with `.venv/bin/python -m dashboard serve`, or check --url.\n"


async def test_a_board_that_goes_away_ends_the_sending(capsys: pytest.CaptureFixture[str]) -> None:
    async with listening(TinyBoard(silent=True)) as board:
        said = io.StringIO()
        assert await simulate(fast(board, calls=5_000), said) == 1
    assert GIVE_UP_AFTER <= len(board.bodies) < GIVE_UP_AFTER + AT_ONCE
    assert "without an answer" in said.getvalue()
    assert "No board answers" in capsys.readouterr().err


async def test_off_a_terminal_progress_is_a_few_plain_lines() -> None:
    async with listening(TinyBoard()) as board:
        said = io.StringIO()
        await simulate(fast(board, calls=200), said)
    lines = said.getvalue().splitlines()
    assert "\r" not in said.getvalue()
    assert sum(" of 200, " in line for line in lines) <= 10
    assert any(line.startswith("200 of 200, ") for line in lines)


async def test_on_a_terminal_a_bar_grows_in_place() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    async with listening(TinyBoard()) as board:
        terminal = Terminal()
        await simulate(fast(board, calls=50), terminal)
    assert f"\r[{'#' * 32}] 50 of 50, " in terminal.getvalue()


def options_of(*arguments: str) -> SimulateOptions:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_simulate_arguments(parser)
    return options_from(parser.parse_args(arguments))


def test_arguments_become_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASHBOARD_WEBHOOK_SECRET", raising=False)
    assert options_of() == SimulateOptions()
    assert options_of(
        *("--url", "http://127.0.0.1:9000/", "--secret", "s", "--calls", "7", "--rate", "0", "--seed", "3"),
        *("--replay", "a.jsonl", "--clips", "http://127.0.0.1:9001", "--yes-real-board"),
    ) == SimulateOptions("http://127.0.0.1:9000", "s", 7, 0.0, 3, Path("a.jsonl"), "http://127.0.0.1:9001", True)


def test_the_secret_comes_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_WEBHOOK_SECRET", "new-one, old-one")
    assert options_of().secret == "new-one"
    assert "new-one" not in repr(options_of())


@pytest.mark.parametrize(
    "wrong", [("--calls", "0"), ("--calls", "x"), ("--rate", "-1"), ("--rate", "nan"), ("--url", "localhost:8000")]
)
def test_an_argument_that_cannot_be_meant_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(argparse.ArgumentError):
        options_of(*wrong)
