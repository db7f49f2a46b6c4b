"""The vendor's own example (call-ended event, "Python (FastAPI)"), line by line; it prints and stores nothing.

`python -m bench.peers.vendor_fastapi PORT`: only the address differs from the vendor's page.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/webhook/call-webhook")
async def handle_webhook(request: Request) -> dict[str, Any]:
    payload = await request.json()
    event = payload.get("event")
    data = payload.get("data", {})

    if event == "call_ended":
        print(f"Call ended: {data.get('callSid')}")
        print(f"Duration: {data.get('call_duration')} seconds")
        print(f"Hangup: {data.get('hangup_reason')}")
        print(f"Converted: {data.get('conversion_status')}")
        return {"status": "success", "message": "Webhook received"}

    return {"status": "error", "message": "Unknown event type"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
