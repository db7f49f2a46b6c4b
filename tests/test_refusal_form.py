"""A refusal comes in the form that the caller reads: JSON or text for programs, a page for browsers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from quart import Response
from quart.typing import TestClientProtocol as Client

from dashboard.web import export
from dashboard.web.parts import Callboard
from tests.cast import enter_cast

MakeApp = Callable[..., Awaitable[Callboard]]

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
FILES = ("/calls.csv", "/calls.jsonl")
CASES: list[tuple[str, str, str, dict[str, Any], int]] = [
    # who asks, method, query, what goes wrong, the status
    ("", "get", "", {}, 401),
    ("", "post", "", {}, 401),
    ("vera", "get", "", {}, 403),
    ("ada", "get", "?stage=nothing", {}, 400),
    ("ada", "post", "", {}, 405),
    ("ada", "delete", "", {}, 405),
    ("ada", "get", "", {"starting": True}, 503),
    ("ada", "get", "", {"fails": True}, 500),
    ("ada", "get", "", {"Host": "evil.example"}, 421),
    ("ada", "post", "", {"Origin": "https://evil.example"}, 403),
]


@pytest.fixture
async def clients(make_app: MakeApp) -> dict[str, Client]:
    app = await make_app(webhook_secrets=("hush",), public_url="http://localhost")
    return {**await enter_cast(app), "": app.test_client()}


async def refusals(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch, accept: str | None
) -> AsyncIterator[tuple[str, int, Response]]:
    """Every case at both files: where it was, the status that it must have, and the answer."""
    app = cast(Callboard, clients["ada"].app)
    for path, (who, method, query, trouble, status) in itertools.product(FILES, CASES):
        headers = {name: value for name, value in trouble.items() if isinstance(value, str)}
        headers |= {"Accept": accept} if accept is not None else {}
        if "starting" in trouble:
            app.feed.ready.clear()
        with monkeypatch.context() as patch:
            if "fails" in trouble:
                patch.setattr(export, "asked_for", lambda: 1 // 0)
            answer = await getattr(clients[who], method)(path + query, headers=headers)
        app.feed.ready.set()
        yield f"{method} {path}{query} {who} {trouble} {accept}", status, answer


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/json", "application/jsonl, */*", "application/*"])
async def test_a_program_that_asks_for_a_file_is_refused_in_json(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch, accept: str | None
) -> None:
    async for where, status, answer in refusals(clients, monkeypatch, accept):
        assert answer.status_code == status, where
        assert answer.headers["Content-Type"] == "application/json", where
        said = await answer.get_json()
        assert said["status"] == "error"
        assert said["message"].endswith("."), where


@pytest.mark.parametrize("accept", ["text/csv", "text/plain", "application/jsonl", "text/html;q=0, text/csv"])
async def test_a_program_that_takes_no_json_is_refused_in_a_line_of_text(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    async for where, status, answer in refusals(clients, monkeypatch, accept):
        assert answer.status_code == status, where
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8", where
        text = await answer.get_data(as_text=True)
        assert text.strip().endswith("."), where
        assert "<" not in text


async def test_a_browser_that_asks_for_a_file_is_refused_with_a_page(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    async for where, status, answer in refusals(clients, monkeypatch, BROWSER):
        if status == 401 and where.startswith("get"):
            assert answer.status_code == 303, where
            assert answer.headers["Location"].startswith("/sign-in?next="), where
            continue
        assert answer.status_code == status, where
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8", where
        assert "<main" in await answer.get_data(as_text=True)


async def test_a_refused_method_names_those_that_are_taken_in_every_form(clients: dict[str, Client]) -> None:
    for accept in (BROWSER, "*/*", "text/csv"):
        answer = await clients["ada"].post("/calls.csv", headers={"Accept": accept})
        assert "GET" in answer.headers["Allow"]


async def test_pages_stay_pages_and_the_api_stays_json_whatever_is_accepted(clients: dict[str, Client]) -> None:
    for accept in (BROWSER, "*/*", "application/json", "text/plain"):
        page = await clients["ada"].get("/nowhere", headers={"Accept": accept})
        assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        told = await clients["ada"].get("/api/nowhere", headers={"Accept": accept})
        assert (told.status_code, told.headers["Content-Type"]) == (404, "application/json")
