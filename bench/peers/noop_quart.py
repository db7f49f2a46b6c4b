"""The ceiling of the stack: a Quart app that reads the body, stores nothing and gives the same answer as Callboard.

`python -m bench.peers.noop_quart PORT`, served by Callboard's own server.
"""

from __future__ import annotations

import asyncio
import sys

from quart import Quart, request

from dashboard.server import listen, serve

app = Quart(__name__)


@app.post("/webhook/call-webhook")
async def take() -> dict[str, str]:
    await request.get_data()
    return {"status": "success", "message": "Webhook received"}


if __name__ == "__main__":
    asyncio.run(serve(app, [listen(f"127.0.0.1:{sys.argv[1]}")], on_stop=lambda: None))
