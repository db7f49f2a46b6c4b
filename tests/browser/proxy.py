"""A reverse proxy with one habit of real ones: while the board is away it answers 502 with a page of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing, suppress

BAD_GATEWAY = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class Proxy:
    """Forwards bytes to the board's port; runs in a thread of its own, because browser tests block theirs."""

    def __init__(self, board_port: int) -> None:
        self._board_port = board_port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.port = 0
        self.refused = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            try:
                board_reader, board_writer = await asyncio.open_connection("127.0.0.1", self._board_port)
            except OSError:
                await self._refuse(reader, writer)
                return
            with closing(board_writer):
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(_pump(reader, board_writer))
                    ways.create_task(_pump(board_reader, writer))
        except asyncio.CancelledError:
            pass  # by _run, at its end; Python 3.11 would log a traceback for each
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            self.refused += 1
            head = f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: {len(BAD_GATEWAY)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + BAD_GATEWAY)
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()
