"""The page of accounts stays small however many campaigns there are, and every one of them can be chosen."""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from quart.typing import TestClientProtocol as Client

from dashboard.roles import ADMIN, VIEWER, Rights
from dashboard.store.accounts import add_account, find_account, rights_of
from dashboard.web.accounts import pick
from dashboard.web.forms import FIELD
from dashboard.web.parts import Callboard
from tests.forms import form_token
from tests.signed_in import browser_of
from tests.stored import store, told

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def take_campaigns(app: Callboard, count: int) -> None:
    """As many calls, each of a campaign of its own."""
    bodies = [told(callSid=f"s{n}", batchId=f"campaign {n:05} of the year") for n in range(count)]
    store(app.database, *bodies)
    await app.feed.look()


async def post(client: Client, **form: str | list[str]) -> tuple[int, str]:
    body = urlencode({FIELD: form_token(client), **form}, doseq=True)
    answer = await client.post("/accounts", data=body, headers=FORM)
    return answer.status_code, await answer.get_data(as_text=True)


def offered(html: str, key: str) -> dict[str, bool]:
    """The campaigns that one form offers, and whether they are chosen."""
    part = re.search(rf'<div id="campaigns-{key}">(.*?)</div>', html, re.DOTALL)
    assert part
    boxes = re.findall(r'name="campaigns" value="([^"]*)"( checked)?', part[1])
    return {name: bool(checked) for name, checked in boxes}


async def test_the_page_is_small_with_ten_thousand_campaigns_and_twenty_accounts(app: Callboard) -> None:
    await take_campaigns(app, 10_000)
    boss = await browser_of(app, "boss", Rights(ADMIN))
    for number in range(19):
        held = tuple(f"campaign {n:05} of the year" for n in range(9_000 + number, 9_003 + number))
        rights = Rights(VIEWER, held)
        await app.database.write(partial(add_account, name=f"person {number}", password_hash="", now=1, rights=rights))
    html = await (await boss.get("/accounts")).get_data(as_text=True)
    assert html.count("Set this password") == 20
    assert len(html.encode()) < 150_000
    found = (await post(boss, change="find", name="person 3", role=VIEWER, find="CAMPAIGN"))[1]
    assert len(found.encode()) < 150_000


async def test_a_campaign_is_found_by_a_part_of_its_name_and_what_was_chosen_stays(app: Callboard) -> None:
    await take_campaigns(app, 200)
    boss = await browser_of(app, "boss", Rights(ADMIN))
    held = "campaign 00190 of the year"
    await app.database.write(partial(add_account, name="vani", password_hash="", now=1, rights=Rights(VIEWER, (held,))))
    html = await (await boss.get("/accounts")).get_data(as_text=True)
    assert offered(html, "2")[held]
    wanted = "campaign 00123 of the year"
    assert wanted not in offered(html, "2")
    status, html = await post(boss, change="find", name="vani", role="reviewer", campaigns=[held], find="00123 OF")
    assert status == 200
    assert offered(html, "2") == {held: True, wanted: False}
    assert '<option value="reviewer" selected>' in html
    assert html.count("<details open>") == 1
    status, html = await post(boss, change="role", name="vani", role="reviewer", campaigns=[held, wanted])
    assert status == 200
    account = await app.database.read(partial(find_account, name="vani"))
    assert account is not None
    assert rights_of(account) == Rights("reviewer", (wanted, held))


async def test_looking_for_a_campaign_changes_nothing_and_keeps_the_name_of_a_new_account(app: Callboard) -> None:
    await take_campaigns(app, 60)
    boss = await browser_of(app, "boss", Rights(ADMIN))
    secret = "a password that must not come back"
    form: dict[str, str | list[str]] = {"name": "nora", "password": secret, "role": VIEWER, "find": "00059"}
    status, html = await post(boss, change="find-new", campaigns=["campaign 00001 of the year"], **form)
    assert status == 200
    assert offered(html, "new") == {"campaign 00001 of the year": True, "campaign 00059 of the year": False}
    assert 'value="nora"' in html
    assert secret not in html
    assert await app.database.read(partial(find_account, name="nora")) is None


async def test_what_no_campaign_has_in_its_name_is_said(app: Callboard) -> None:
    await take_campaigns(app, 60)
    boss = await browser_of(app, "boss", Rights(ADMIN))
    _, html = await post(boss, change="find-new", name="", role=VIEWER, find="<b>no such")
    assert offered(html, "new") == {}
    assert "No other campaign has “&lt;b&gt;no such” in its name." in html


names = st.lists(st.text(max_size=8), max_size=80, unique=True)


@given(names, st.sets(st.text(max_size=8), max_size=5), st.text(max_size=3))
def test_what_is_offered_and_what_is_left_out_are_all_that_match(known: list[str], chosen: set[str], find: str) -> None:
    picker = pick(known, chosen, find)
    matching = [n for n in known if n not in chosen and find.casefold().strip() in n.casefold()]
    assert [*picker.chosen] == sorted(chosen)
    assert [*picker.others] == matching[: len(picker.others)]
    assert picker.left_out == len(matching) - len(picker.others)
    assert len(picker.others) <= 50
