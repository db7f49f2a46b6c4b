"""How people see where reports are handed on to, and what they can do about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from argon2 import PasswordHasher
from quart.typing import TestClientProtocol as Client

from dashboard import __main__ as command_line
from dashboard import passwords
from dashboard.calls import micros
from dashboard.database import Database
from dashboard.links import parse_url
from dashboard.migrations import migrate
from dashboard.models import Account
from dashboard.notices import Target as Standing
from dashboard.notices import forwarding
from dashboard.settings import Settings
from dashboard.store.accounts import add_account, find_account
from dashboard.store.forward import begin
from dashboard.targets import Target
from dashboard.web.parts import Callboard
from tests.forms import post
from tests.reports import report
from tests.stored import rows, sql, store

MakeApp = Callable[..., Awaitable[Callboard]]
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
# Nobody calls on it: it is not public, and not listed.
URL = parse_url("https://127.0.0.1:1/hook?key=canary")
assert URL is not None
CRM = Target("crm<b>", URL)
WAITS_AND_ASIDE = (
    """UPDATE forward SET report_id = 3, attempts = 3, failures = 3, failing_since = 1,
    answer = 'crm.example answered 500 <i>.', answered_at = 1764000000000000, due_at = 9000000000000000""",
    "INSERT INTO forward_aside VALUES ('crm<b>', 2, 'set aside', 'crm.example answered 422.', 1)",
)
"""As if report 3 were waited with for long, and report 2 had been set aside."""


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def stuck(settings: Settings) -> Settings:
    """Of a database with a target that takes nothing."""
    database = Database(settings.database_url)
    migrate(database)
    database.write_now(partial(begin, targets=[CRM.name], now=1))
    store(database, report("first"), report("second"))
    sql(database, *WAITS_AND_ASIDE)
    database.close()
    return replace(settings, forward_targets=(CRM,))


@pytest.fixture
async def app(stuck: Settings, make_app: MakeApp) -> Callboard:
    return await make_app(forward_targets=stuck.forward_targets)


@pytest.fixture
def client(app: Callboard) -> Client:
    return app.test_client()


async def page_of(client: Client) -> str:
    return await (await client.get("/forward")).get_data(as_text=True)


async def test_the_page_tells_how_a_target_stands_as_text_and_never_its_address(client: Client) -> None:
    page = await page_of(client)
    assert "crm&lt;b&gt;" in page
    assert "crm.example answered 500 &lt;i&gt;." in page
    assert "tried 3 times" in page
    assert "crm.example answered 422." in page
    assert "canary" not in page
    assert "/hook" not in page


async def test_the_buttons_of_the_page_do_what_they_say(client: Client, app: Callboard) -> None:
    forms = re.findall(r'action="(/forward/\w+)".*?name="report" value="(\w*)"', await page_of(client))
    both = ("/forward/retry", "/forward/skip")
    assert forms == [(path, report) for report in ("", "all", "2") for path in both]
    skipped = await client.post("/forward/skip", form={"target": CRM.name, "report": ""})
    assert (skipped.status_code, skipped.headers["Location"]) == (303, "/forward")
    assert asides(app) == {2: "set aside", 3: "skipped"}
    await client.post("/forward/skip", form={"target": CRM.name, "report": "all"})
    assert asides(app) == {2: "skipped", 3: "skipped"}
    await client.post("/forward/retry", form={"target": CRM.name, "report": "2"})
    # It comes before a target that still takes nothing, and is too old to wait for it.
    assert asides(app)[2] in ("to be sent again", "set aside")
    lines = [(row["action"], row["about"]) for row in rows(app.database, "audit")]
    assert lines == [
        ("report not sent", "crm<b>: 3"),
        ("report not sent", "crm<b>: all"),
        ("report sent again", "crm<b>: 2"),
    ]


def asides(app: Callboard) -> dict[int, str]:
    statement = "SELECT inbox_id, state FROM forward_aside"
    found = app.database.read_now(lambda session: session.connection().exec_driver_sql(statement).all())
    return dict(tuple(row) for row in found)


async def test_what_cannot_be_done_changes_nothing_and_says_so(client: Client, app: Callboard) -> None:
    numbers = [({"target": CRM.name, "report": number}, 400) for number in ("x", "-1", "²", "9" * 30)]
    for form, status in [*numbers, ({"target": "nobody"}, 409), ({}, 409)]:
        for path in ("/forward/retry", "/forward/skip"):
            assert (await client.post(path, form=form)).status_code == status
    for number in ("999999999", "0"):
        answer = await client.post("/forward/retry", form={"target": CRM.name, "report": number})
        assert answer.status_code == 409
        assert f"Report {number} is not there, or waits in line" in await answer.get_data(as_text=True)
    assert asides(app) == {2: "set aside"}


async def test_a_board_without_a_target_says_how_to_name_one(make_app: MakeApp) -> None:
    app = await make_app()
    assert "set <code>DASHBOARD_FORWARD_TO</code>" in await page_of(app.test_client())


async def test_the_page_is_for_admins(make_app: MakeApp) -> None:
    app = await make_app(admin_password="correct horse battery", webhook_secrets=("hush",))
    hashed = passwords.hash_password("correct horse battery")
    await app.database.write(partial(add_account, name="asha", password_hash=hashed, now=1))
    asha = await app.database.read(partial(find_account, name="asha"))
    assert isinstance(asha, Account)
    for role, status in (("viewer", 403), ("reviewer", 403), ("admin", 200)):
        sql(app.database, f"UPDATE account SET role = '{role}' WHERE name = 'asha'")
        client = app.test_client()
        form = {"name": "asha", "password": "correct horse battery", "next": "/"}
        assert (await client.post("/sign-in", form=form)).status_code == 303
        assert (await client.get("/forward")).status_code == status
        answer = await post(client, "/forward/skip", target="x", report="1")
        assert answer.status_code == (403 if status == 403 else 303)


async def test_a_target_that_fails_for_long_is_told_on_the_board(client: Client, app: Callboard) -> None:
    page = ""
    async with asyncio.timeout(10):
        while "crm&lt;b&gt; has taken no report for" not in page:
            app.feed._refresh_notices()
            page = await (await client.get("/")).get_data(as_text=True)
    assert 'data-notice="forward"' in page
    assert "1 report was set aside" in page


def test_a_notice_comes_after_ten_minutes_or_with_what_was_set_aside() -> None:
    def words(minutes: int | None, aside: int = 0) -> str:
        since = None if minutes is None else micros(NOON - timedelta(minutes=minutes))
        notice = forwarding(Standing("crm", since, "crm.example answered 503.", aside), NOON)
        return notice.words if notice else ""

    assert words(None) == words(9) == ""
    assert words(10).startswith("crm has taken no report for 10 minutes: crm.example answered 503.")
    assert "for 26 hours" in words(26 * 60)
    assert words(None, 1) == "1 report was set aside that crm did not take."
    assert "2 reports were" in words(30, 2)


# The command


@pytest.fixture
def run(stuck: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`python -m dashboard forward …`; gives what it says."""
    monkeypatch.setattr(Settings, "from_env", classmethod(lambda _: stuck))

    def say(*arguments: str, code: int = 0) -> str:
        assert command_line.main(["forward", *arguments]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return say


def test_the_command_lists_retries_and_skips(run: Callable[..., str]) -> None:
    listed = run("list")
    assert listed.startswith("crm<b>: 2 reports waiting, the oldest since 2025-12-19 11:30:00\n")
    assert "report 3 holds up the others; tried 3 times, next at" in listed
    assert "report 2 set aside: crm.example answered 422." in listed
    assert "goes on without report 3" in run("skip", CRM.name)
    assert "No report holds up crm<b>" in run("skip", CRM.name, code=1)
    assert "before those that wait, 1 report will be sent again." in run("retry", CRM.name, "--all")
    assert run("retry", CRM.name, "99") == "A server that runs tries crm<b> within a second.\n"
    assert "report 2 to be sent again" in run("list")
    assert "1 report set aside for crm<b> will not be sent." in run("skip", CRM.name, "2")
    assert "There is no target nobody" in run("retry", "nobody", code=1)
