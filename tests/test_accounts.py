"""The page of accounts: admins make them, give them roles, passwords and limits, and shut them out."""

from __future__ import annotations

import asyncio
import hashlib
import re
from functools import partial
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from quart.typing import TestClientProtocol as Client
from sqlmodel import Session, col, select

from dashboard import passwords
from dashboard.database import Database
from dashboard.models import Account
from dashboard.passwords import matches
from dashboard.roles import ADMIN, REVIEWER, VIEWER, Rights
from dashboard.store.accounts import (
    LastAdmin,
    account_of_session,
    accounts,
    add_account,
    disable,
    find_account,
    keep_hash,
    rights_of,
    running_sessions,
    set_rights,
    start_session,
    still_opens,
)
from dashboard.store.calls import count_calls, rows_of_person
from dashboard.web.forms import FIELD
from dashboard.web.parts import Callboard
from tests.forms import form_token, post
from tests.reports import WEBHOOK, report
from tests.signed_in import browser_of
from tests.stored import column, rows, sql, store

PASSWORD = "correct horse é battery"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
async def boss(app: Callboard) -> Client:
    """An admin's browser, on a board with calls of two campaigns."""
    for campaign in ("north", "south"):
        await app.test_client().post(WEBHOOK, data=report(campaign, batchId=campaign))
    await app.feed.look()
    return await browser_of(app, "boss", Rights(ADMIN))


async def change(client: Client, action: str, **form: str | list[str]) -> tuple[int, str]:
    """What a form of the page is answered: the status, and the sentence of the page."""
    body = urlencode({"change": action, FIELD: form_token(client), **form}, doseq=True)
    answer = await client.post("/accounts", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    page = await answer.get_data(as_text=True)
    sentence = re.search(r'role="(?:status|alert)">([^<]+)<', page)
    return answer.status_code, sentence[1] if sentence else ""


def known_rights(app: Callboard, name: str) -> Rights:
    account = app.database.read_now(lambda session: find_account(session, name))
    assert account is not None
    return rights_of(account)


def audited(app: Callboard) -> list[tuple[str, str, str]]:
    return [(line["account"], line["action"], line["about"]) for line in rows(app.database, "audit")]


async def test_an_account_is_made_with_its_role_and_its_campaigns(app: Callboard, boss: Client) -> None:
    form: dict[str, str | list[str]] = {
        "name": " nora ",
        "password": PASSWORD,
        "role": VIEWER,
        "campaigns": ["south", "north"],
    }
    assert await change(boss, "add", **form) == (200, "nora can sign in now, as viewer of north, south.")
    assert known_rights(app, "nora") == Rights(VIEWER, ("north", "south"))
    client = app.test_client()
    answer = await client.post("/sign-in", form={"name": "nora", "password": PASSWORD})
    assert answer.status_code == 303
    assert audited(app)[0] == ("boss", "account added", "nora: viewer of north, south")
    page = await (await boss.get("/accounts")).get_data(as_text=True)
    assert re.findall(r"<b><bdi>(\w+)</bdi></b>", page) == ["boss", "nora"]
    assert PASSWORD not in page + str(rows(app.database, "account"))


async def test_campaigns_are_chosen_from_those_that_calls_have(boss: Client) -> None:
    page = await (await boss.get("/accounts")).get_data(as_text=True)
    assert {*re.findall(r'name="campaigns" value="(\w+)"', page)} == {"north", "south"}
    status, sentence = await change(boss, "add", name="nora", password=PASSWORD, role=VIEWER, campaigns="east")
    assert status == 400
    assert "No call of a campaign" in sentence


async def test_another_role_signs_out_and_ends_open_streams(app: Callboard, boss: Client) -> None:
    ravi = await browser_of(app, "ravi", Rights(REVIEWER))
    async with ravi.request("/live") as connection:
        await connection.send_complete()
        await connection.receive()
        said = await change(boss, "role", name="ravi", role=VIEWER, campaigns="north")
        assert said == (200, "ravi is viewer of north now, and has to sign in again.")
        await app.visits.look()
        app.feed._beat()
        async with asyncio.timeout(10):
            while await connection.receive():
                app.feed._beat()
    assert (await ravi.get("/")).status_code == 303
    assert known_rights(app, "ravi") == Rights(VIEWER, ("north",))
    assert audited(app) == [("boss", "role changed", "ravi: viewer of north")]


async def test_a_password_is_set_and_an_account_shut_out_and_let_in(app: Callboard, boss: Client) -> None:
    ravi = await browser_of(app, "ravi", Rights(REVIEWER))
    assert (await change(boss, "password", name="ravi", password=PASSWORD))[0] == 200
    assert (await ravi.get("/")).status_code == 303
    account = app.database.read_now(lambda session: find_account(session, "ravi"))
    assert account is not None
    assert matches(account.password_hash, PASSWORD)
    for action, said in (("disable", "cannot sign in any more"), ("enable", "can sign in again")):
        status, sentence = await change(boss, action, name="ravi")
        assert status == 200
        assert said in sentence
    assert [action for _, action, _ in audited(app)] == ["password changed", "account disabled", "account enabled"]


async def test_what_cannot_be_done_changes_nothing_and_says_why(app: Callboard, boss: Client) -> None:
    before = rows(app.database, "account")
    for action, form, sentence in (
        ("disable", {"name": "boss"}, "boss is the only admin who can sign in."),
        ("role", {"name": "boss", "role": VIEWER}, "boss is the only admin who can sign in."),
        ("role", {"name": "boss", "role": ADMIN, "campaigns": "north"}, "An admin sees every campaign."),
        ("role", {"name": "boss", "role": "owner"}, "There is no role"),
        ("role", {"name": "nobody", "role": VIEWER}, "There is no account nobody."),
        ("add", {"name": "boss", "password": PASSWORD, "role": VIEWER}, "There is an account boss already."),
        ("add", {"name": "nora", "password": "short", "role": VIEWER}, "at least 10 letters"),
        ("add", {"name": "a\x07b", "password": PASSWORD, "role": VIEWER}, "A name has 1 to 100 letters"),
        ("password", {"name": "boss", "password": "x" * 1001}, "at most 1000 letters"),
        ("elevate", {"name": "boss"}, "does not say what to change"),
    ):
        status, said = await change(boss, action, **form)
        assert status == 400, form
        assert sentence in said
    assert rows(app.database, "account") == before
    assert audited(app) == []


async def test_with_a_second_admin_the_first_may_step_down(app: Callboard, boss: Client) -> None:
    await browser_of(app, "ravi", Rights(ADMIN))
    answer = await post(boss, "/accounts", change="role", name="boss", role=REVIEWER)
    assert answer.status_code == 303
    assert (await boss.get("/accounts")).headers["Location"].startswith("/sign-in")
    assert known_rights(app, "boss") == Rights(REVIEWER)


async def test_two_admins_who_shut_each_other_out_at_once_leave_one(app: Callboard, boss: Client) -> None:
    ravi = await browser_of(app, "ravi", Rights(ADMIN))
    await asyncio.gather(change(boss, "disable", name="ravi"), change(ravi, "disable", name="boss"))
    assert column(app.database, "account", "disabled_at").count(None) == 1


async def test_a_board_without_accounts_makes_the_first_one_an_admin(app: Callboard) -> None:
    client = app.test_client()
    page = await (await client.get("/accounts")).get_data(as_text=True)
    assert "it is open to this machine, and to nobody else" in page
    form = {"change": "add", "name": "asha", "password": PASSWORD, "role": VIEWER}
    assert (await change(client, "add", name="asha", password=PASSWORD, role=VIEWER))[0] == 400
    answer = await post(client, "/accounts", **form | {"role": ADMIN})
    assert answer.status_code == 303
    assert (await client.get("/accounts")).headers["Location"] == "/sign-in?next=/accounts"
    assert (await client.post("/sign-in", form={"name": "asha", "password": PASSWORD})).status_code == 303
    assert (await client.get("/accounts")).status_code == 200
    assert audited(app)[0] == ("this machine", "account added", "asha: admin")


async def test_everybodys_own_page_says_what_they_are(app: Callboard) -> None:
    client = await browser_of(app, "nora", Rights(VIEWER, ("north",)))
    page = await (await client.get("/account")).get_data(as_text=True)
    assert "Your role: viewer, which sees numbers masked." in page
    assert "You see the calls of north." in page


# The store, on both databases


def test_the_last_admin_can_neither_be_disabled_nor_be_given_another_role(database: Database) -> None:
    def told(session: Session) -> list[str]:
        for name, rights in (("boss", Rights(ADMIN)), ("ravi", Rights(ADMIN)), ("vani", Rights(VIEWER))):
            add_account(session, name, "no hash", 1, rights)
        session.flush()
        boss, ravi, vani = session.exec(select(Account).order_by(col(Account.id))).all()
        disable(session, vani, 2)
        disable(session, ravi, 2)
        with pytest.raises(LastAdmin):
            disable(session, boss, 3)
        with pytest.raises(LastAdmin):
            set_rights(session, boss, Rights(VIEWER))
        set_rights(session, ravi, Rights(REVIEWER, ("north",)))
        return [f"{line.name} {line.rights.role} {line.disabled_at}" for line in accounts(session)]

    assert database.write_now(told) == ["boss admin None", "ravi reviewer 2", "vani viewer 2"]


def test_an_account_opens_only_as_it_was_read_and_only_while_it_is_not_disabled(database: Database) -> None:
    def account(name: str) -> Account:
        found = database.read_now(partial(find_account, name=name))
        assert found is not None
        return found

    for name in ("asha", "bina"):
        database.write_now(partial(add_account, name=name, password_hash="old", now=1))
    before = account("bina")
    assert before.id is not None
    assert database.write_now(partial(still_opens, account=before))
    database.write_now(partial(keep_hash, account=account("bina"), password_hash="anew"))
    assert not database.write_now(partial(still_opens, account=before))
    assert database.write_now(partial(still_opens, account=account("bina")))
    database.write_now(partial(start_session, account_id=before.id, token="late", now=2))
    running = partial(running_sessions, token_hashes=[hashlib.sha256(b"late").digest()], now=3)
    assert len(database.read_now(running)) == 1
    sql(database, "UPDATE account SET disabled_at = 2 WHERE name = 'bina'")
    assert not database.write_now(partial(still_opens, account=account("bina")))
    assert database.read_now(running) == set()
    assert database.read_now(partial(account_of_session, token="late", now=3)) is None


def test_calls_of_a_number_and_their_count_keep_to_campaigns(database: Database) -> None:
    store(database, *(report(name, batchId=name, to="919812345678") for name in ("north", "south", "")))
    for campaigns, ids in (((), [3, 2, 1]), (("north",), [1]), (("none", "south"), [3, 2]), (("gone",), [])):
        of_person = partial(rows_of_person, person="+919812345678", most=9, campaigns=campaigns, series="north")
        in_series, others = (
            database.read_now(partial(of_person, is_in_series=is_in_series)) for is_in_series in (True, False)
        )
        assert [row.id for row in others + in_series] == ids
        assert {row.campaign for row in in_series} <= {"north"}
        assert database.read_now(partial(count_calls, campaigns=campaigns)) == (len(ids), 0)
