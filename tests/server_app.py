"""A small board to be served, stalled, flooded and stopped by tests/test_server.py, always as a process of its own.

    python tests/server_app.py BIND [--stalled-after S] [--graceful S] [--header-seconds S] [--slow-seconds S]

Prints `listening on host:port` once it listens, and the state of /stat as its last line when it has ended by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
from collections.abc import AsyncIterator
from pathlib import Path

from quart import Quart, Response, request

from dashboard import connections, idle_timer, server

CHUNK = b"x" * 16_384

app = Quart(__name__)
stopping = asyncio.Event()
streams = 0
pushed = 0
shut_down_with: int | None = None


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/hook")
async def hook() -> dict[str, str]:
    body = await request.get_data()
    await asyncio.sleep(float(request.args.get("seconds", "0")))
    return {"status": "success", "bytes": str(len(body))}


@app.get("/broken")
async def broken() -> str:
    raise RuntimeError("this route is broken")


@app.get("/stat")
async def stat() -> dict[str, int | None]:
    return state()


def state() -> dict[str, int | None]:
    return {
        "streams": streams,
        "pushed": pushed,
        "descriptors": len(list(Path("/dev/fd").iterdir())),
        "descriptor_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "shut_down_with": shut_down_with,
    }


def streaming(body: AsyncIterator[bytes]) -> Response:
    response = Response(body, content_type="text/event-stream")
    response.timeout = None
    return response


@app.get("/live")
async def live() -> Response:
    """Says hello, then is silent until the server stops."""

    async def body() -> AsyncIterator[bytes]:
        global streams
        streams += 1
        try:
            yield b": hello\n\n"
            await stopping.wait()
        finally:
            streams -= 1

    return streaming(body())


@app.get("/flood")
async def flood() -> Response:
    """Never suspends by itself: what an export without a pause, or a long replay, looks like."""
    chunk = CHUNK[: int(request.args.get("size", len(CHUNK)))]

    async def body() -> AsyncIterator[bytes]:
        global streams
        streams += 1
        try:
            while not stopping.is_set():
                yield chunk
        finally:
            streams -= 1

    return streaming(body())


@app.get("/push")
async def push() -> Response:
    """A chunk every 10 ms, for as long as the reader takes them; the first line says when each was sent."""

    async def body() -> AsyncIterator[bytes]:
        global streams, pushed
        streams += 1
        try:
            while not stopping.is_set():
                await asyncio.sleep(0.01)
                pushed += 1
                yield CHUNK
        finally:
            streams -= 1

    return streaming(body())


@app.after_serving
async def remember_how_many_streams_were_left() -> None:
    global shut_down_with
    shut_down_with = streams


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("bind")
    arguments.add_argument("--stalled-after", type=float, default=server.STALLED_SECONDS)
    arguments.add_argument("--graceful", type=float, default=server.GRACEFUL_SECONDS)
    arguments.add_argument("--header-seconds", type=float, default=idle_timer.HEADER_SECONDS)
    arguments.add_argument("--slow-seconds", type=float, default=connections.SLOW_SECONDS)
    given = arguments.parse_args()
    idle_timer.HEADER_SECONDS = given.header_seconds
    connections.SLOW_SECONDS = given.slow_seconds
    logging.basicConfig(format="%(name)s %(levelname)s %(message)s", level=logging.INFO)
    sock = server.listen(given.bind, stalled_after=given.stalled_after)
    address = sock.getsockname()
    print("listening on", address if isinstance(address, str) else f"{address[0]}:{address[1]}", flush=True)
    asyncio.run(server.serve(app, [sock], on_stop=stopping.set, graceful_seconds=given.graceful))
    print(json.dumps(state()), flush=True)


if __name__ == "__main__":
    main()
