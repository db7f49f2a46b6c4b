"""The platform's door: the table of answers (decision 1), a test a row."""

from __future__ import annotations

import asyncio
import gzip
import json
import select
import socket
import time
import zlib
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import brotli
import httpx
import pytest
from quart.typing import TestClientProtocol as Client

from dashboard.settings import CONNECT_COMMAND
from dashboard.web.hooks import LARGEST_BODY
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.refusals import MISSING, UNGUARDED, WRONG
from tests.reports import WEBHOOK, data_of, report
from tests.running import RunningBoard

MakeApp = Callable[..., Awaitable[Callboard]]
RECEIVED = {"status": "success", "message": "Webhook received"}
UNKNOWN_EVENT = {"status": "error", "message": "Unknown event type"}
ANOTHER_EVENT = b'{"event": "whatsapp_message", "data": {}}'


async def stored(app: Callboard) -> tuple[int, list[str]]:
    """How many calls there are, and the verdicts of the inbox in order."""
    calls, verdicts = await app.database.read(
        lambda session: [
            session.connection().exec_driver_sql(query).scalars().all()
            for query in ("select id from call", "select verdict from inbox order by id")
        ]
    )
    return len(calls), list(verdicts)


async def test_a_report_gets_the_documented_answer(client: Client) -> None:
    response = await client.post(WEBHOOK, data=report())
    assert (response.status_code, await response.get_json()) == (200, RECEIVED)


@pytest.mark.parametrize("path", ["/webhook", "/webhook/callwebhook", "/webhooks/call-webhook"])
async def test_a_wrong_path_is_never_taken_for_success(app: Callboard, path: str) -> None:
    response = await app.test_client().post(path, data=report(), follow_redirects=True)
    assert response.status_code == 404
    assert WEBHOOK in (await response.get_json())["message"]


async def test_a_slash_at_the_end_is_forgiven(app: Callboard) -> None:
    response = await app.test_client().post(f"{WEBHOOK}/", data=report())
    assert response.status_code == 200


async def test_the_same_report_twenty_times_at_once_is_one_call_and_twenty_inbox_rows(app: Callboard) -> None:
    client = app.test_client()
    responses = await asyncio.gather(*(client.post(WEBHOOK, data=report()) for _ in range(20)))
    assert [response.status_code for response in responses] == [200] * 20
    calls, verdicts = await stored(app)
    assert (calls, sorted(verdicts)) == (1, ["duplicate"] * 19 + ["new"])


async def test_a_report_with_every_field_odd_is_a_call(app: Callboard) -> None:
    body = json.dumps({"event": "call_ended", "data": {name: [{"odd": None}] for name in data_of()}}).encode()
    response = await app.test_client().post(WEBHOOK, data=body)
    assert (response.status_code, await response.get_json()) == (200, RECEIVED)
    assert await stored(app) == (1, ["new"])


async def test_the_content_type_has_no_say(app: Callboard) -> None:
    for number, content_type in enumerate(
        ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "\xff")
    ):
        response = await app.test_client().post(
            WEBHOOK, data=report(f"s{number}"), headers={"Content-Type": content_type}
        )
        assert response.status_code == 200, content_type
    assert await stored(app) == (4, ["new"] * 4)


async def test_another_event_is_stored_and_answered_as_the_vendors_example_does(app: Callboard) -> None:
    response = await app.test_client().post(WEBHOOK, data=ANOTHER_EVENT)
    assert (response.status_code, await response.get_json()) == (200, UNKNOWN_EVENT)
    assert await stored(app) == (0, ["ignored"])


async def test_another_event_can_be_refused_by_setting_and_is_stored_all_the_same(make_app: MakeApp) -> None:
    app = await make_app(reject_unknown_events=True)
    response = await app.test_client().post(WEBHOOK, data=ANOTHER_EVENT)
    assert (response.status_code, await response.get_json()) == (400, UNKNOWN_EVENT)
    assert await stored(app) == (0, ["ignored"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty."),
        (b'{"event"', "The body is not JSON: Expecting ':' delimiter at line 1, column 9."),
        (b"[]", "The body must be a JSON object, not a list."),
        (b'{"event": "call_ended", "data": 1}', "`data` must be an object, not a number."),
        (b"\xff", "The body is not UTF-8 text: byte 0 cannot be decoded."),
        (b"[" * 100_000, "The body nests deeper than 100 levels."),
    ],
    ids=["empty", "cut", "list", "no-data", "no-utf-8", "deep"],
)
async def test_what_is_no_report_is_stored_as_unreadable_and_told_why(
    app: Callboard, body: bytes, message: str
) -> None:
    response = await app.test_client().post(WEBHOOK, data=body)
    assert (response.status_code, await response.get_json()) == (400, {"status": "error", "message": message})
    assert await stored(app) == (0, ["unreadable"])


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}], ids=str
)
async def test_a_web_page_is_refused_and_nothing_is_stored(make_app: MakeApp, headers: dict[str, str]) -> None:
    app = await make_app(webhook_secrets=("hush",))
    response = await app.test_client().post(WEBHOOK, data=report(), headers={"Authorization": "Bearer hush", **headers})
    assert response.status_code == 403
    assert await stored(app) == (0, [])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_any_method_but_post_is_refused(make_app: MakeApp, method: str) -> None:
    app = await make_app(webhook_secrets=("hush",), admin_password="long enough a password")
    response = await getattr(app.test_client(), method.lower())(f"{WEBHOOK}?token=hush", data=report())
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert await stored(app) == (0, [])


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({}, "?token=", 401),
        ({}, "?token=wrong", 401),
        ({}, "?token=old", 200),
        ({}, "?token=new", 200),
        ({}, "?token=wrong&token=old", 401),
        ({"Authorization": "Bearer old"}, "", 200),
        ({"Authorization": "bearer  new "}, "", 200),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({"Authorization": "Bearer"}, "", 401),
        ({"Authorization": "Bearer old,new"}, "", 401),
        ({"Authorization": "Basic b2xk"}, "", 401),
        ({"Authorization": "Basic b2xk"}, "?token=new", 200),
        ({"Authorization": "Bearer wrong"}, "?token=new", 401),
        ({}, "?token=%C3%A9%F0%9F%98%80", 200),
        ({}, "?token=%ff%00%ed%a0%80", 401),
        ({"Authorization": "Bearer \xe9"}, "", 401),
    ],
    ids=range(17),
)
async def test_who_has_a_secret_is_let_in(make_app: MakeApp, headers: dict[str, str], query: str, status: int) -> None:
    app = await make_app(webhook_secrets=("old", "new", "é😀"))
    response = await app.test_client().post(WEBHOOK + query, data=report(), headers=headers)
    assert response.status_code == status
    calls, verdicts = await stored(app)
    assert (calls, len(verdicts)) == ((1, 1) if status == 200 else (0, 0))
    if status == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_guessing_is_slowed_down_and_whoever_knows_the_secret_is_not(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    client = app.test_client()
    statuses = [(await client.post(f"{WEBHOOK}?token={guess}", data=b"{}")).status_code for guess in range(35)]
    assert statuses == [401] * 30 + [429] * 5
    assert (await client.post(f"{WEBHOOK}?token=hush", data=report())).status_code == 200


async def test_whoever_looks_with_the_secret_learns_that_all_is_right_and_what_was_last_refused(
    make_app: MakeApp,
) -> None:
    app = await make_app(webhook_secrets=("hush",))
    client = app.test_client()
    plain = {"status": "error", "message": "This address takes POST only."}
    right = {"status": "error", "message": "The address and the secret are right. Reports are taken here by POST."}
    seen = {"last_refusal": None, "secrets_used_at": [0], "forwarded_for": 0, "from_this_machine": True}
    for query, words in (("", plain), ("?token=wrong", plain), ("?token=hush", right | seen)):
        response = await client.get(WEBHOOK + query)
        assert (response.status_code, await response.get_json()) == (405, words)
    for query, problem in (("", MISSING), ("?token=wrong", WRONG)):
        await client.post(WEBHOOK + query, data=report())
        last = (await (await client.get(f"{WEBHOOK}?token=hush")).get_json())["last_refusal"]
        assert last == {"at": app.refusals.last and app.refusals.last.at, "problem": problem}
        assert abs(last["at"] - now_micros()) < 60_000_000
    assert await stored(app) == (0, [])


async def test_the_log_tells_of_refusals_once_a_minute_and_without_the_secret(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await make_app(webhook_secrets=("hush",))
    client = app.test_client()
    for guess in range(40):
        await client.post(f"{WEBHOOK}?token=canary-{guess}", data=report())
    assert [record.getMessage().partition(" and")[0] for record in caplog.records] == [
        "A report came with a wrong webhook secret"
    ]
    later = time.monotonic() + 61
    # Only there: moved for all, the clock would say that whatever is under way has waited too long.
    monkeypatch.setattr("dashboard.web.refusals.time", SimpleNamespace(monotonic=lambda: later, time_ns=time.time_ns))
    await client.post(WEBHOOK, data=report())
    assert len(caplog.records) == 2
    assert CONNECT_COMMAND in caplog.text
    assert "canary" not in caplog.text
    assert "hush" not in caplog.text


async def test_a_tunnel_to_a_board_without_a_secret_is_told_of_in_the_log(
    app: Callboard, caplog: pytest.LogCaptureFixture
) -> None:
    await app.test_client().post(WEBHOOK, data=report(), headers={"X-Forwarded-For": "203.0.113.9"})
    assert app.refusals.last is not None
    assert app.refusals.last.problem == UNGUARDED
    assert CONNECT_COMMAND in caplog.text
    assert "203.0.113.9" not in caplog.text


async def test_a_body_of_the_largest_size_is_taken(app: Callboard) -> None:
    body = report(transcription="x" * (LARGEST_BODY - len(report(transcription=""))))
    assert len(body) == LARGEST_BODY
    assert (await app.test_client().post(WEBHOOK, data=body)).status_code == 200
    assert (await app.test_client().post(WEBHOOK, data=body + b" ")).status_code == 413
    assert await stored(app) == (1, ["new"])


async def test_a_board_without_a_secret_takes_reports_from_this_machine_only(app: Callboard) -> None:
    for headers in ({"Host": "board.example"}, {"X-Forwarded-For": "203.0.113.9"}, {"Via": "1.1 tunnel"}):
        response = await app.test_client().post(WEBHOOK, data=report(), headers=headers)
        assert response.status_code == 403
        assert "DASHBOARD_WEBHOOK_SECRET" in (await response.get_json())["message"]
    assert await stored(app) == (0, [])


async def test_a_board_that_cannot_store_says_when_to_come_again(
    app: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.intake.MOST_WAITING", 0)
    response = await app.test_client().post(WEBHOOK, data=report())
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "Send it again" in (await response.get_json())["message"]
    assert await stored(app) == (0, [])


def raw(board: RunningBoard, head: str, body: bytes = b"") -> bytes:
    """The status line of whatever the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", board.port), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1"))
        try:
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent
        with connection.makefile("rb") as answer:
            return answer.readline().strip()


def test_over_a_socket_too_large_a_body_is_refused_however_it_comes(start_board: Callable[..., RunningBoard]) -> None:
    secret = "canary-secret-é"
    board = start_board(DASHBOARD_WEBHOOK_SECRET=secret)
    bearer = {b"Authorization": f"Bearer {secret}".encode()}
    too_large = b"x" * (LARGEST_BODY + 1)
    start = f"POST {WEBHOOK} HTTP/1.1\nHost: localhost\nAuthorization: Bearer {secret.encode().decode('latin-1')}\n"
    assert raw(board, f"{start}Content-Length: {len(too_large)}\n\n", too_large) == b"HTTP/1.1 413"
    # By its own account alone, before a byte of it came.
    assert raw(board, f"{start}Content-Length: 99999999999\n\n") == b"HTTP/1.1 413"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    assert raw(board, f"{start}Transfer-Encoding: chunked\n\n", chunk * 33 + b"0\r\n\r\n") == b"HTTP/1.1 413"
    url = board.url + WEBHOOK
    with httpx.Client(trust_env=False) as client:
        assert (
            client.post(url, content=(part for part in (report()[:9], report()[9:])), headers=bearer).json() == RECEIVED
        )
        assert client.post(url, content=report(), params={"token": secret}).json() == RECEIVED
        for wrong in ({"token": "wrong"}, {"token": "\u0000é"}):
            assert client.post(url, content=report(), params=wrong).status_code == 401
        answers: list[Any] = [
            client.get(board.url + page) for page in ("/", "/calls/1", "/calls/2", "/nowhere", "/healthz")
        ]
    # The secret is nowhere: in no page, in no header, in no log.
    for answer in answers:
        assert "canary" not in answer.text + str(answer.headers)
    for path in (board.log, *board.database_file.parent.glob("callboard.db*")):
        assert b"canary" not in path.read_bytes(), path.name


def test_whoever_is_turned_away_may_keep_the_connection_though_the_body_comes_late(
    start_board: Callable[..., RunningBoard],
) -> None:
    """As from a pool: the next request through a connection that was closed without a word is lost."""
    board = start_board(DASHBOARD_WEBHOOK_SECRET="a-secret-of-some-length")
    connection = socket.create_connection(("127.0.0.1", board.port), timeout=10)
    with connection, connection.makefile("rb") as answers:
        for path, status in ((f"{WEBHOOK}?token=wrong", b"401"), ("/webhook/elsewhere", b"404")):
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            connection.sendall(head.encode())
            # Nothing may come before the body is whole: the server would have to close.
            assert select.select([connection], [], [], 0.05)[0] == []
            connection.sendall(b"123456789")
            assert answers.readline().split()[1] == status
            fields = dict(line.lower().split(b": ", 1) for line in iter(answers.readline, b"\r\n"))
            assert b"connection" not in fields
            answers.read(int(fields[b"content-length"]))


def test_a_sender_that_writes_first_and_then_reads_hears_that_its_body_is_too_large(
    start_board: Callable[..., RunningBoard],
) -> None:
    """As a proxy does: one that is cut off while it sends makes a 502 of our 413."""
    board = start_board()
    body = bytes(3 * LARGEST_BODY)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", board.port), timeout=5) as connection:
            connection.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n" % WEBHOOK.encode())
            connection.sendall(b"Content-Length: %d\r\n\r\n" % len(body))
            for start in range(0, len(body), 65536):
                connection.sendall(body[start : start + 65536])
            assert connection.recv(12) == b"HTTP/1.1 413"


SUPPORTED_ARE = "supported are gzip, deflate, br."


def packed_as(*codings: str, body: bytes | None = None) -> bytes:
    # Without the moment, which would make each of them another one.
    packed_by_gzip = partial(gzip.compress, mtime=0)
    packs: dict[str, Callable[[bytes], bytes]]
    packs = {"gzip": packed_by_gzip, "x-gzip": packed_by_gzip, "deflate": zlib.compress, "br": brotli.compress}
    packed = report() if body is None else body
    for coding in codings:
        packed = packs[coding](packed)
    return packed


async def inbox_rows(app: Callboard) -> list[tuple[Any, ...]]:
    """(verdict, size, content_encoding, body) of the inbox in order."""
    query = "select verdict, size, content_encoding, body from inbox order by id"
    found = await app.database.read(lambda session: session.connection().exec_driver_sql(query).all())
    return [tuple(row) for row in found]


@pytest.mark.parametrize(
    "codings", [("gzip",), ("x-gzip",), ("deflate",), ("br",), ("gzip", "br")], ids=lambda codings: "+".join(codings)
)
async def test_a_packed_report_is_read_and_stored_as_it_came(app: Callboard, codings: tuple[str, ...]) -> None:
    body, header = packed_as(*codings), ", ".join(codings)
    response = await app.test_client().post(WEBHOOK, data=body, headers={"Content-Encoding": header})
    assert (response.status_code, await response.get_json()) == (200, RECEIVED)
    assert await stored(app) == (1, ["new"])
    assert await inbox_rows(app) == [("new", len(report()), header, body)]


async def test_the_same_report_packed_and_plain_is_one_report(app: Callboard) -> None:
    client = app.test_client()
    no_sid = json.dumps({"event": "call_ended", "data": {"agent": "a"}}).encode()
    for coding in ("gzip", "deflate", "br"):
        await client.post(WEBHOOK, data=packed_as(coding, body=no_sid), headers={"Content-Encoding": coding})
    await client.post(WEBHOOK, data=no_sid)
    assert await stored(app) == (1, ["new", "duplicate", "duplicate", "duplicate"])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_packed_report_without_its_header_is_read(app: Callboard, coding: str) -> None:
    response = await app.test_client().post(WEBHOOK, data=packed_as(coding))
    assert response.status_code == 200
    assert await inbox_rows(app) == [("new", len(report()), coding, packed_as(coding))]


@pytest.mark.parametrize("header", ["gzip", "br", "utf-8", "identity", "application/json"])
async def test_a_plain_report_is_read_whatever_its_content_encoding_says(app: Callboard, header: str) -> None:
    """A proxy that unpacks may leave the header, and some senders put the character set there."""
    response = await app.test_client().post(WEBHOOK, data=report(), headers={"Content-Encoding": header})
    assert response.status_code == 200
    assert await inbox_rows(app) == [("new", len(report()), "", report())]


async def test_several_content_encoding_headers_are_one_list(start_board: Callable[..., RunningBoard]) -> None:
    board = start_board()
    body = packed_as("gzip", "br")
    head = f"POST {WEBHOOK} HTTP/1.1\nHost: localhost\nContent-Encoding: gzip\nContent-Encoding: br\n"
    answer = await asyncio.to_thread(raw, board, f"{head}Content-Length: {len(body)}\n\n", body)
    assert answer == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    ("body", "header", "status", "message"),
    [
        (packed_as("gzip")[:-1], "gzip", 400, "The body is packed as gzip and cannot be unpacked: its end is missing."),
        (packed_as("gzip"), "br", 400, "The body is packed as br and cannot be unpacked: its bytes are damaged."),
        (gzip.compress(b"[]"), "gzip", 400, "The body must be a JSON object, not a list."),
        (
            b"\x28\xb5\x2f\xfd...",
            "zstd",
            415,
            f"The body is not UTF-8 text: byte 1 cannot be decoded. Its Content-Encoding is zstd; {SUPPORTED_ARE}",
        ),
    ],
    ids=["cut", "another", "no-report", "unknown"],
)
async def test_what_cannot_be_unpacked_is_stored_as_it_came(
    app: Callboard, body: bytes, header: str, status: int, message: str
) -> None:
    response = await app.test_client().post(WEBHOOK, data=body, headers={"Content-Encoding": header})
    assert (response.status_code, await response.get_json()) == (status, {"status": "error", "message": message})
    assert response.headers.get("Accept-Encoding") == ("gzip, deflate, br" if status == 415 else None)
    ((verdict, _, encoding, kept),) = await inbox_rows(app)
    assert (verdict, encoding, kept) == ("unreadable", header, body)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_the_limit_of_a_report_holds_for_its_unpacked_bytes(app: Callboard, coding: str) -> None:
    body = report(transcription="x" * (LARGEST_BODY - len(report(transcription=""))))
    headers = {"Content-Encoding": coding}
    taken = await app.test_client().post(WEBHOOK, data=packed_as(coding, body=body), headers=headers)
    refused = await app.test_client().post(WEBHOOK, data=packed_as(coding, body=body + b" "), headers=headers)
    assert (taken.status_code, refused.status_code) == (200, 413)
    assert await stored(app) == (1, ["new"])
