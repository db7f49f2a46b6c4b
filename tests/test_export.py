"""The calls of a filter as a file: all of them, what the screen lists, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from quart import Response
from quart.typing import TestClientProtocol as Client
from quart.wrappers.response import IterableBody

from dashboard.callkaro.report import DOCUMENTED_FIELDS
from dashboard.roles import REVIEWER, Rights
from dashboard.sheets import text_of
from dashboard.store import audit
from dashboard.store.accounts import end_session
from dashboard.web import export
from dashboard.web.parts import Callboard
from tests.cast import enter, enter_cast
from tests.reports import WEBHOOK, report
from tests.running import RunningBoard

MakeApp = Callable[..., Awaitable[Callboard]]


async def take(client: Client, *bodies: bytes) -> None:
    for body in bodies:
        assert (await client.post(f"{WEBHOOK}?token=hush", data=body)).status_code == 200


async def sheet(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = await client.get(f"/calls.csv{query}")
    assert answer.status_code == 200
    text = (await answer.get_data(as_text=True)).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


async def lines(client: Client, query: str = "") -> list[dict[str, object]]:
    body = await (await client.get(f"/calls.jsonl{query}")).get_data()
    return [json.loads(line) for line in body.splitlines()]


async def test_both_files_hold_every_call_of_the_filter_newest_first(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "IDS_AT_ONCE", 7)
    monkeypatch.setattr(export, "CALLS_AT_ONCE", 3)
    await take(
        client,
        *(
            report(f"s{number}", time=f"2025-12-19 10:{number % 5:02}:00", batchId="ab"[number % 2])
            for number in range(40)
        ),
    )
    for query, count in (("", 40), ("?campaign=a", 20), ("?campaign=nowhere", 0)):
        rows = await sheet(client, query)
        assert len(rows) == len({row["id"] for row in rows}) == count
        order = [(row["at"], int(row["id"])) for row in rows]
        assert order == sorted(order, reverse=True)
        assert [str(line["id"]) for line in await lines(client, query)] == [row["id"] for row in rows]


async def test_a_sheet_has_all_documented_fields_and_is_a_download(client: Client) -> None:
    await take(client, report("a", transcription="Agent: नमस्ते\nUser: =1+1", to="+918765432109"))
    answer = await client.get("/calls.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="callboard-calls-')
    assert (await answer.get_data(as_text=True)).startswith('\ufeff"id","at",')
    [row] = await sheet(client)
    assert set(DOCUMENTED_FIELDS) < set(row)
    assert row["transcription"] == "Agent: नमस्ते\nUser: =1+1"
    assert row["to"] == "'+918765432109"
    assert text_of(row["to"]) == "+918765432109"
    assert json.loads(row["post_call"]) == {"lead_status": "interested"}
    assert (row["stage"], row["at"], row["disposition_reason"]) == (
        "converted",
        "2025-12-19T10:31:07Z",
        "Customer requested callback",
    )


async def test_what_a_stranger_said_is_text_and_can_be_had_back(client: Client) -> None:
    values = ['=cmd|" /C calc"!A0', " =1", "\t=1", "＝1", '",=1', "'=1", "@SUM(1)", "x\r\n=1"]
    await take(client, *(report(f"s{number}", disposition_reason=value) for number, value in enumerate(values)))
    found = {row["callSid"]: row["disposition_reason"] for row in await sheet(client)}
    for number, value in enumerate(values):
        cell = found[f"s{number}"]
        assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))
        assert text_of(cell) == value.strip()


async def test_a_reviewer_exports_with_masked_numbers_and_a_viewer_not_at_all(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    cast = await enter_cast(app)
    await take(cast["ada"], report("a"))
    assert (await sheet(cast["ada"]))[0]["to"] == "'918765432109"
    assert (await sheet(cast["rita"]))[0]["to"] == "87•••••109"
    assert "8765432109" not in json.dumps(await lines(cast["rita"]))
    for path in ("/calls.csv", "/calls.jsonl"):
        assert (await cast["vera"].get(path)).status_code == 403
        assert (await app.test_client().get(path)).status_code == 401
        assert (await app.test_client().get(path, headers={"Accept": "text/html"})).status_code == 303


async def test_where_nobody_has_to_sign_in_this_machine_has_exported(app: Callboard) -> None:
    await app.test_client().get("/calls.csv")
    written = await app.database.read(partial(audit.newest, most=9))
    assert [(line.account, line.action) for line in written] == [("this machine", "calls exported")]


async def test_each_export_is_one_line_of_the_audit_log_with_filter_and_count(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    cast = await enter_cast(app)
    await take(
        cast["ada"], *(report(f"s{number}", batchId="north") for number in range(3)), report("x", batchId="south")
    )
    await sheet(cast["rita"], "?campaign=north")
    await lines(cast["ada"])
    await cast["ada"].head("/calls.csv")
    assert (await cast["ada"].get("/calls.csv?stage=nothing")).status_code == 400
    written = await app.database.read(partial(audit.newest, most=9))
    assert [(line.account, line.action, line.about) for line in written] == [
        ("ada", "calls exported", "4 as jsonl: /"),
        ("rita", "calls exported", "3 as csv: /?campaign=north"),
    ]


async def test_an_export_stays_within_the_campaigns_of_whoever_asks(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    client = await enter(app, "nora", Rights(REVIEWER, ("north",)))
    await take(client, report("a", batchId="north"), report("b", batchId="south"))
    assert [row["callSid"] for row in await sheet(client)] == ["a"]
    assert await sheet(client, "?campaign=south") == []


async def test_whoever_is_signed_out_meanwhile_gets_no_more_and_no_file_that_looks_whole(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CALLS_AT_ONCE", 1)
    app = await make_app(webhook_secrets=("hush",))
    client = await enter(app, "rita", Rights(REVIEWER))
    await take(client, *(report(f"s{number}") for number in range(5)))
    async with app.test_request_context("/calls.jsonl", headers={"Cookie": "callboard_session=session-of-rita"}):
        assert await app.preprocess_request() is None
        response = await app.dispatch_request()
        assert isinstance(response, Response)
        assert isinstance(response.response, IterableBody)
        body = response.response.__aiter__()
        assert await anext(body)
        await app.database.write(partial(end_session, token="session-of-rita"))
        await app.visits.look()
        with pytest.raises(export.Ended):
            async for _ in body:
                pass


async def test_an_export_of_nothing_is_a_sheet_with_its_head(client: Client) -> None:
    assert await sheet(client) == []
    assert (await (await client.get("/calls.csv")).get_data(as_text=True)).count("\r\n") == 1
    assert await (await client.get("/calls.jsonl")).get_data() == b""


def test_a_reset_in_the_middle_of_an_export_stops_nobody_else(start_board: Callable[..., RunningBoard]) -> None:
    board = start_board()
    for number in range(4):
        assert board.post(report(f"s{number}", transcription="x" * 1_900_000)).status_code == 200
    with socket.create_connection(("127.0.0.1", board.port), 5) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(f"GET /calls.jsonl HTTP/1.1\r\nHost: 127.0.0.1:{board.port}\r\n\r\n".encode())
        assert peer.recv(1000).startswith(b"HTTP/1.1 200")
        # Closed like this the kernel sends a reset.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for _ in range(3):
        assert board.post(report("after")).status_code == 200
