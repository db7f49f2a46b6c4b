"""Stopping a real board: nobody is left without an answer, and nobody keeps it from ending."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable

import httpx

from tests.reports import WEBHOOK, report
from tests.running import NO_TLS, RunningBoard

STREAMS = 500
SENDERS = 16
UNDER_WAY = 200
LONGEST_STOP_SECONDS = 2.0


async def open_stream(board: RunningBoard) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", board.port)
    writer.write(b"GET /live?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b":\n\n")
    return reader, writer


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """A whole answer, or nothing if the connection ended before it."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    return head


async def send_reports(board: RunningBoard, sender: int, answers: Counter[str], going: asyncio.Event) -> None:
    """Posts on one connection after the other until nobody listens any more; counts the answers."""
    number = 0
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", board.port)
        except OSError:
            return
        while True:
            number += 1
            body = report(f"sender{sender}-{number}")
            head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await read_answer(reader)
            answers[answer[9:12].decode() or "nothing"] += 1
            if answers.total() >= UNDER_WAY:
                going.set()
            if b"connection: close" in answer.lower() or not answer:
                break
        writer.close()


async def stop_under_load(board: RunningBoard) -> tuple[int, float, Counter[str], int]:
    """Exit code, seconds until the end, answers by status, and how many streams were ended properly."""
    streams = await asyncio.gather(*(open_stream(board) for _ in range(STREAMS)))
    answers: Counter[str] = Counter()
    going = asyncio.Event()
    async with asyncio.TaskGroup() as senders:
        for sender in range(SENDERS):
            senders.create_task(send_reports(board, sender, answers, going))
        await going.wait()
        board.signal(signal.SIGTERM)
        started = time.monotonic()
        code = await asyncio.to_thread(board.wait, 10)
        seconds = time.monotonic() - started
    ends = await asyncio.gather(*(reader.read() for reader, _ in streams))
    for _, writer in streams:
        writer.close()
    return code, seconds, answers, sum(end.endswith(b"0\r\n\r\n") for end in ends)


def test_a_board_with_500_streams_and_reports_in_flight_ends_within_two_seconds(
    start_board: Callable[..., RunningBoard],
) -> None:
    board = start_board()
    code, seconds, answers, ended = asyncio.run(stop_under_load(board))
    assert (code, ended, set(answers)) == (0, STREAMS, {"200"})
    assert seconds < LONGEST_STOP_SECONDS
    print(f"ended after {seconds:.2f} s, {answers.total()} reports answered")


def test_an_export_under_way_ends_broken_and_without_a_traceback(start_board: Callable[..., RunningBoard]) -> None:
    board = start_board()
    with httpx.Client(base_url=board.url, verify=NO_TLS) as client:
        for number in range(60):
            assert client.post(WEBHOOK, content=report(f"call {number}", transcription="x" * 200_000)).is_success
        assert client.get("/").is_success

    async def stop() -> list[bytes]:
        exports = [await asyncio.open_connection("127.0.0.1", board.port, limit=2**16) for _ in range(3)]
        for path, (reader, writer) in zip(("csv", "jsonl", "jsonl"), exports, strict=True):
            writer.write(f"GET /calls.{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        board.signal(signal.SIGTERM)
        # Read only now, so that the files are still under way when the board stops.
        files = await asyncio.gather(*(reader.read() for reader, _ in exports[:2]), return_exceptions=True)
        assert await asyncio.to_thread(board.wait, 15) == 0
        for _, writer in exports:
            writer.close()
        return [file for file in files if isinstance(file, bytes)]

    for file in asyncio.run(stop()):
        assert len(file) < 60 * 200_000
        assert not file.endswith(b"0\r\n\r\n")
    log = board.log.read_text()
    assert "Traceback" not in log
    assert "Error" not in log
