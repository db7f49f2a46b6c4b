"""The plain way a team would store the event: FastAPI, uvicorn, one SQLModel session and one commit per request.

`python -m bench.peers.plain_fastapi PORT DATABASE_FILE`. Stores what Callboard stores, as durably: the body verbatim,
the call merged by callSid and try, WAL with synchronous=FULL, committed before the answer.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import JSON, Column, event
from sqlalchemy.engine import Engine
from sqlmodel import Field, Session, SQLModel, UniqueConstraint, create_engine, select


class Inbox(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    received_at: datetime
    body: bytes
    sha256: bytes = Field(index=True)
    call_id: int | None = Field(default=None, foreign_key="call.id")


class Call(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("call_sid", "try_count"),)

    id: int | None = Field(default=None, primary_key=True)
    received_at: datetime
    call_sid: str
    try_count: int
    call_type: str = ""
    agent: str = ""
    version_id: str = ""
    from_number: str = ""
    to_number: str = ""
    recording_url: str = ""
    duration: int = 0
    time: str = ""
    transcription: str = ""
    batch_id: str = Field(default="", index=True)
    hangup_reason: str = ""
    call_metadata: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON))
    post_call: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON))
    post_call_detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON))
    functions_called: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    disposition_reason: str = ""
    conversion_status: bool = False
    next_call_scheduled: bool = False
    call_link: str = ""


COLUMNS = {
    "name": "call_type", "agent": "agent", "versionId": "version_id", "from": "from_number", "to": "to_number",
    "recordingUrl": "recording_url", "call_duration": "duration", "time": "time", "transcription": "transcription",
    "batchId": "batch_id", "hangup_reason": "hangup_reason", "call_metadata": "call_metadata", "post_call": "post_call",
    "post_call_detail": "post_call_detail", "functions_called": "functions_called",
    "disposition_reason": "disposition_reason", "conversion_status": "conversion_status",
    "next_call_scheduled": "next_call_scheduled", "call_link": "call_link",
}  # fmt: skip

app = FastAPI()
engine = create_engine(f"sqlite:///{sys.argv[2]}" if len(sys.argv) > 2 else "sqlite://")


@event.listens_for(engine, "connect")
def as_durable_as_callboard(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")


@app.post("/webhook/call-webhook")
async def take(request: Request) -> dict[str, str]:
    body = await request.body()
    payload = json.loads(body)
    if payload.get("event") != "call_ended":
        return {"status": "error", "message": "Unknown event type"}
    # In the loop itself: a thread per request was slower, its threads wait for SQLite's one write lock.
    with Session(engine) as session:
        store(session, body, payload["data"])
        session.commit()
    return {"status": "success", "message": "Webhook received"}


def store(session: Session, body: bytes, data: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    found = select(Call).where(Call.call_sid == data["callSid"], Call.try_count == data["try_count"])
    call = session.exec(found).first()
    if call is None:
        call = Call(call_sid=data["callSid"], try_count=data["try_count"], received_at=now)
    for key, column in COLUMNS.items():
        if (value := data.get(key)) not in (None, "", [], {}):
            setattr(call, column, value)
    session.add(call)
    session.flush()
    session.add(Inbox(received_at=now, body=body, sha256=hashlib.sha256(body).digest(), call_id=call.id))


def main(engine: Engine, port: int) -> None:
    SQLModel.metadata.create_all(engine)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False)


if __name__ == "__main__":
    main(engine, int(sys.argv[1]))
