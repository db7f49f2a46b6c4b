"""One person in every place that counts, lists or erases people, however the reports write the number."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql_text

from dashboard.database import Database
from dashboard.erasure import By, TooShort, erase, find
from dashboard.models import ApiToken
from dashboard.recordings.keep import Keep
from dashboard.roles import ADMIN, REVIEWER, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.accounts import add_account, add_wall_link
from dashboard.web.parts import Callboard
from tests.phone_spellings import ANONYMOUS, INDIAN_MOBILE, OTHERS, PEOPLE, SIP_NAME, Person
from tests.reports import WEBHOOK, report
from tests.signed_in import browser_of
from tests.stored import NOON, calls, column, rebuild, rows, sql, store

MakeApp = Callable[..., Awaitable[Callboard]]
WHO = By("asha", "127.0.0.1", NOON)


@pytest.fixture
async def board(make_app: MakeApp, database_url: str) -> Callboard:
    """A board on either kind of database."""
    return await make_app(database_url=database_url)


async def send(app: Callboard, *numbers: str | float, name: str = "call", **fields: Any) -> None:
    """One report for each number, by the webhook; then the index has them all."""
    for place, number in enumerate(numbers):
        body = report(f"{name} {place}", **({"to": number} | fields))
        assert (await app.test_client().post(WEBHOOK, data=body)).status_code == 200
    await app.feed.reach(2**62, at_most=0.01)
    await app.feed.look()


async def leads(client: Any) -> int:
    html = await (await client.get("/")).get_data(as_text=True)
    found = re.search(r'data-figure="leads" data-value="(\d+)"', html)
    assert found
    return int(found[1])


async def listed(client: Any, call_id: int) -> tuple[set[int], set[int]]:
    """The calls under Attempts, and those under Other calls, of a call's page."""
    html = await (await client.get(f"/calls/{call_id}")).get_data(as_text=True)
    section = html.partition('id="attempts"')[2].partition("</section>")[0]
    attempts, _, others = section.partition("Other calls with this person")
    return tuple(set(map(int, re.findall(r'data-call="(\d+)"', part))) for part in (attempts, others))  # type: ignore[return-value]


async def test_every_spelling_of_five_people_gives_five_leads_with_all_their_calls(board: Callboard) -> None:
    client = board.test_client()
    ids: dict[str, set[int]] = {}
    for person in PEOPLE:
        before = len(calls(board.database, "id"))
        await send(board, *person.spellings, name=person.key)
        ids[person.key] = {call_id for (call_id,) in calls(board.database, "id")} - set(range(1, before + 1))
        assert len(ids[person.key]) == len(person.spellings)
    assert sum(map(len, ids.values())) >= 30
    assert await leads(client) == 5
    assert set(column(board.database, "call", "person")) == {person.key for person in PEOPLE}
    for of_person in ids.values():
        for call_id in of_person:
            assert await listed(client, call_id) == (of_person, set())
    told = await (await client.get("/api/calls?limit=200")).get_json()
    assert {call["person"] for call in told["calls"]} == {person.key for person in PEOPLE}


async def test_nearly_the_same_numbers_are_as_many_leads(board: Callboard) -> None:
    await send(board, *OTHERS, *(person.key for person in PEOPLE))
    assert await leads(board.test_client()) == len(OTHERS) + len(PEOPLE)


async def test_anonymous_callers_are_no_lead_and_share_no_attempts(board: Callboard) -> None:
    for place, text in enumerate(ANONYMOUS):
        await send(board, "911140000000", name=f"anonymous {place}", from_=text, try_count=-1)
    assert set(column(board.database, "call", "person")) == {""}
    assert await leads(board.test_client()) == 0
    newest = max(call_id for (call_id,) in calls(board.database, "id"))
    assert await listed(board.test_client(), newest) == (set(), set())


async def test_attempts_are_those_of_one_campaign_and_other_calls_stand_apart(board: Callboard) -> None:
    await send(board, "919812345670", "09812345670", name="north", batchId="north")
    await send(board, "+91 98123 45670", name="south", batchId="south")
    await send(board, "9812345670", name="none", batchId="")
    client = board.test_client()
    assert await listed(client, 1) == await listed(client, 2) == ({1, 2}, {3, 4})
    assert await listed(client, 3) == ({3}, {1, 2, 4})
    assert await listed(client, 4) == ({4}, {1, 2, 3})


def fill(database: Database) -> None:
    """Every spelling of everybody, and nearly the same numbers."""
    numbers = [spelling for person in PEOPLE for spelling in person.spellings]
    store(database, *(report(f"call {place}", to=number) for place, number in enumerate((*numbers, *OTHERS))))


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.key)
async def test_any_spelling_erases_all_spellings_and_nobody_else(
    database: Database, tmp_path: Path, person: Person
) -> None:
    fill(database)
    others = [key for key in column(database, "call", "person") if key != person.key]
    for spelling in person.spellings:
        assert (await find(database, str(spelling))).removed.calls == len(person.spellings)
    erased = await erase(database, Keep(tmp_path), str(person.spellings[-1]), WHO)
    assert erased.removed.calls == len(person.spellings)
    assert column(database, "call", "person") == others
    assert rebuild(database) == 0


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.key)
async def test_every_quoted_form_leaves_the_audit_log_reports_and_words(
    database: Database, tmp_path: Path, person: Person
) -> None:
    others = [text for other in PEOPLE if other is not person for text in other.quoted]
    for text in (*person.quoted, *others):
        database.write_now(partial(audit.note, now=NOON, account="bina", action="looked", about=f"for {text}, please"))
        store(database, f"a report about {text}".encode(), report(f"word {text}", to="911", hangup_reason=text))
    erased = await erase(database, Keep(tmp_path), person.key, WHO)
    assert (erased.audit_lines, erased.unread) == (len(person.quoted),) * 2
    lines = [row["about"] for row in rows(database, "audit") if row["action"] == "looked"]
    assert lines == ["(erased)"] * len(person.quoted) + [f"for {text}, please" for text in others]
    kept = [bytes(body) for body in column(database, "inbox", "body") if body and body.startswith(b"a report")]
    assert kept == [f"a report about {text}".encode() for text in others]
    words = {row["value"] for row in rows_of_words(database)}
    assert words == {text.strip() for text in others}


def rows_of_words(database: Database) -> list[dict[str, str]]:
    return query(database, "SELECT value FROM undocumented WHERE kind = 'reason'")


async def test_the_number_leaves_walls_rights_and_headers(database: Database, tmp_path: Path) -> None:
    store(database, report("a", to="919000000001"), report("b", to=INDIAN_MOBILE.key), report("c", to="919000000001"))
    sql(database, "UPDATE inbox SET user_agent = 'phone/98123-45670' WHERE id = 1")
    viewer = Rights(VIEWER, ("north", "+91 98123 45670", "९८१२३४५६७०"))
    for token, wall in (("a", "campaign=98123%2045670"), ("b", "campaign=north")):
        database.write_now(partial(add_wall_link, token=token, query=wall, now=1, made_by="x"))
    for name, rights in (("bina", viewer), ("asha", Rights(ADMIN))):
        database.write_now(partial(add_account, name=name, password_hash="", now=1, rights=rights))
    token_row = ApiToken(token_hash=b"c", name="for 09812345670", role=VIEWER, campaigns='["x"]', created_at=1)
    database.write_now(lambda session: session.add(token_row))
    found = await find(database, "9812345670")
    assert (found.elsewhere, found.words.partition("log, ")[2]) == (4, "4 mentions in links, rights and headers")
    erased = await erase(database, Keep(tmp_path), "9812345670", WHO)
    assert erased._replace(is_folded=True) == found
    assert column(database, "inbox", "user_agent") == ["", "test", "test"]
    assert [row["query"] for row in query(database, "SELECT query FROM wall_link")] == ["campaign=north"]
    assert column(database, "account", "campaigns") == ['["north", "(erased)"]', "[]"]
    assert [(row["name"], row["campaigns"]) for row in rows(database, "api_token")] == [("(erased)", '["x"]')]
    assert (await find(database, "9812345670")).elsewhere == 0


def query(database: Database, statement: str) -> list[dict[str, str]]:
    return [
        dict(row) for row in database.read_now(lambda session: session.execute(sql_text(statement)).mappings().all())
    ]


async def test_a_name_without_digits_is_erased_if_it_has_calls(database: Database, tmp_path: Path) -> None:
    store(database, report("a", to="alice"), report("b", to="bob"))
    with pytest.raises(TooShort):
        await find(database, "carol")
    assert (await erase(database, Keep(tmp_path), "Alice", WHO)).removed.calls == 1
    assert calls(database, "customer_number") == [("bob",)]


async def test_the_other_person_at_a_host_stays(database: Database, tmp_path: Path) -> None:
    store(database, report("a", to="sip:alice@10.20.30.40"), report("b", to="sip:bob@10.20.30.40"))
    await erase(database, Keep(tmp_path), SIP_NAME.key, WHO)
    assert calls(database, "customer_number") == [("sip:bob@10.20.30.40",)]


async def test_the_region_of_the_settings_is_obeyed_from_the_webhook_to_the_erasure(
    make_app: MakeApp, database_url: str
) -> None:
    app = await make_app(database_url=database_url, phone_region="AE")
    await send(app, "050 123 4567", "+971 50 123 4567", "971501234567")
    client = app.test_client()
    assert await leads(client) == 1
    assert "+971 50 123 4567" in await (await client.get("/calls/1")).get_data(as_text=True)
    assert (await find(app.database, "0501234567", "AE")).removed.calls == 3


async def test_masked_roles_get_no_key_of_a_person_from_the_api(board: Callboard) -> None:
    await send(board, "919812345670")
    client = await browser_of(board, "bina", Rights(REVIEWER))
    assert (await (await client.get("/api/calls")).get_json())["calls"][0]["person"] is None
