"""Signing in and out: sessions, their streams, what the audit log says of them, and guessed passwords."""

from __future__ import annotations

import asyncio
import itertools
import re
import unicodedata
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from quart.typing import TestClientProtocol as Client
from sqlmodel import Session, select

from dashboard import models, passwords
from dashboard.accounts import Act, Change, give_password, shut_out
from dashboard.store import audit
from dashboard.store.accounts import (
    add_account,
    add_wall_link,
    disable,
    find_account,
    has_accounts,
    running_sessions,
)
from dashboard.web import account as account_door
from dashboard.web.account import _safe_next
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.sign_in_limits import SignInLimits
from dashboard.web.visitor import COOKIE, SECURE_COOKIE
from tests.forms import post
from tests.signed_in import PASSWORD, sign_in
from tests.stored import sql

MakeApp = Callable[..., Awaitable[Callboard]]
HASHER = passwords._hasher

pytestmark = pytest.mark.usefixtures("cheap_sign_ins")


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    """A board with an account: everybody has to sign in."""
    return await make_app(admin_password=PASSWORD, webhook_secrets=("hush",))


async def test_the_admin_is_made_once_and_a_later_password_changes_nothing(make_app: MakeApp) -> None:
    first = await make_app(admin_password=PASSWORD)
    second = await make_app(admin_password="another password")
    assert first.has_accounts
    assert await second.database.read(has_accounts)
    assert await sign_in(second.test_client(), "another password") == 401
    assert await sign_in(second.test_client()) == 303


@pytest.mark.parametrize(
    ("address", "next_page"),
    [
        ("/wall?period=today&key=canary&campaign=a", "/wall?period=today&campaign=a"),
        ("/wall?key=canary", "/wall"),
        ("/?token=canary", "/"),
        ("/wall?period=today&campaign=a+b", "/wall?period=today&campaign=a+b"),
    ],
)
async def test_the_way_to_the_sign_in_carries_no_key(guarded: Callboard, address: str, next_page: str) -> None:
    """Proxies write the address of the sign-in page into their logs."""
    for headers in ({}, {"HX-Request": "true"}):
        asked = await guarded.test_client().get(address, headers=headers)
        location = asked.headers.get("Location") or asked.headers["HX-Redirect"]
        assert parse_qs(urlsplit(location).query) == {"next": [next_page]}


async def test_a_browser_sends_the_origin_alone_as_its_referer(guarded: Callboard) -> None:
    for path in ("/sign-in", "/wall?key=canary", "/static/app.js", "/nowhere"):
        response = await guarded.test_client().get(path)
        assert response.headers["Referrer-Policy"] == "strict-origin", path


async def test_whoever_signs_in_comes_back_to_where_he_wanted_to_go(guarded: Callboard) -> None:
    client = guarded.test_client()
    asked = await client.get("/?campaign=a b&stage=connected")
    assert asked.headers["Location"] == "/sign-in?next=/?campaign%3Da+b%26stage%3Dconnected" or asked.status_code == 303
    page = await client.get(asked.headers["Location"])
    assert 'name="next" value="/?campaign=a' in await page.get_data(as_text=True)
    form = {"name": "admin", "password": PASSWORD, "next": "/?campaign=a"}
    response = await client.post("/sign-in", form=form)
    assert (response.status_code, response.headers["Location"]) == (303, "/?campaign=a")
    board = await client.get("/")
    assert board.status_code == 200
    assert "admin" in await board.get_data(as_text=True)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("admin", "wrong"),
        ("admin", ""),
        ("", PASSWORD),
        ("nobody", PASSWORD),
        ("a\0b", PASSWORD),
        ("admin", "\0"),
        ("<script>alert(1)</script>", "x"),
        ("x" * 10_000, "y" * 10_000),
    ],
    ids=range(8),
)
async def test_a_wrong_name_or_password_is_told_in_the_same_words(guarded: Callboard, name: str, password: str) -> None:
    response = await guarded.test_client().post("/sign-in", form={"name": name, "password": password})
    page = await response.get_data(as_text=True)
    assert response.status_code == 401
    assert "Name or password is wrong. Try again." in page
    assert "<script>alert" not in page
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "typed",
    [
        "Admin",
        "ADMIN",
        "admin ",
        " admin",
        "\u200badmin",
        "admin\ufeff",
        "\uff41dmin",
        "ad\u00admin",
        "\u2067admin\u2069",
    ],
)
async def test_a_name_as_a_phone_writes_it_signs_in_at_the_first_try(guarded: Callboard, typed: str) -> None:
    assert await sign_in(guarded.test_client(), name=typed) == 303
    assert "wrong password" not in [line.action for line in await guarded.database.read(partial(audit.newest, most=9))]


@pytest.mark.parametrize(
    "typed", ["Jos\u00e9 Stra\u00dfe", "jose\u0301 strasse", "JOSE\u0301  STRASSE", "jos\u00e9 stra\u00dfe "]
)
async def test_a_name_is_the_same_in_every_unicode_form_and_case(guarded: Callboard, typed: str) -> None:
    hashed = passwords.hash_password(PASSWORD)
    await guarded.database.write(partial(add_account, name="Jos\u00e9 Stra\u00dfe", password_hash=hashed, now=1))
    client = guarded.test_client()
    assert await sign_in(client, name=typed) == 303
    assert "Jos\u00e9 Stra\u00dfe" in await (await client.get("/account")).get_data(as_text=True)


async def test_wrong_passwords_under_all_spellings_of_a_name_count_as_one_name(make_app: MakeApp) -> None:
    app = await make_app(admin_password=PASSWORD, proxy_hops=1)
    app.sign_in_limits = SignInLimits(by_name=6, by_name_of_new_networks=6)
    spellings = ["admin", "Admin", "ADMIN", "admin ", "\u200badmin", "\uff41dmin", "aDmin"]
    networks = itertools.count(1)

    async def guess(name: str) -> int:
        form, headers = {"name": name, "password": "wrong"}, {"X-Forwarded-For": f"10.0.{next(networks)}.1"}
        return (await app.test_client().post("/sign-in", form=form, headers=headers)).status_code

    # The second half are networks that have not guessed at the name before.
    assert [await guess(name) for name in (spellings * 2)[:13]] == [401] * 12 + [429]


async def test_two_old_accounts_whose_names_read_alike_are_told_apart_by_their_exact_spelling(
    guarded: Callboard,
) -> None:
    for name, password in (("asha", "the password of asha"), ("Asha", "the password of Asha")):
        hashed = passwords.hash_password(password)
        await guarded.database.write(partial(add_account, name=name, password_hash=hashed, now=1))
    assert await sign_in(guarded.test_client(), "the password of asha", name="asha") == 303
    assert await sign_in(guarded.test_client(), "the password of Asha", name="Asha") == 303
    assert await sign_in(guarded.test_client(), "the password of asha", name="ASHA") == 401


@pytest.mark.parametrize("stored", ["NFC", "NFD", "as it is"])
@pytest.mark.parametrize("typed", ["NFC", "NFD", "as it is"])
async def test_a_password_signs_in_in_every_unicode_normal_form_whatever_form_was_hashed(
    guarded: Callboard, stored: str, typed: str
) -> None:
    words = "caf\u00e9 cre\u0300me br\u00fbl\u00e9e"
    forms = {"NFC": unicodedata.normalize("NFC", words), "NFD": unicodedata.normalize("NFD", words), "as it is": words}
    # As older versions made it, of the very text that was typed.
    hashed = passwords._hasher.hash(forms[stored])
    await guarded.database.write(partial(add_account, name="asha", password_hash=hashed, now=1))
    is_known = typed != stored and stored == "as it is"
    # A text that is in neither form was typed so once, by a program: only the same text gives it again.
    assert await sign_in(guarded.test_client(), forms[typed], name="asha") == (401 if is_known else 303)
    await guarded.database.write(
        partial(add_account, name="bina", password_hash=passwords.hash_password(forms[stored]), now=1)
    )
    assert await sign_in(guarded.test_client(), forms[typed], name="bina") == 303


@pytest.mark.parametrize("typed", [f"{PASSWORD} ", f" {PASSWORD}", PASSWORD.upper(), PASSWORD.replace(" ", "\u00a0")])
async def test_a_password_is_otherwise_exact(guarded: Callboard, typed: str) -> None:
    assert await sign_in(guarded.test_client(), typed) == 401


async def test_a_wrong_password_of_several_forms_is_one_attempt(guarded: Callboard) -> None:
    client = guarded.test_client()
    guesses = [await sign_in(client, f"guess e\u0301 {number}") for number in range(11)]
    assert guesses == [401] * 10 + [429]


async def test_bytes_that_are_no_form_are_a_wrong_password(guarded: Callboard) -> None:
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"name=%ff%ed%a0%80&password=%00", b"\xff\xfe", b"", b"&" * 900):
        response = await guarded.test_client().post("/sign-in", data=body, headers=urlencoded)
        assert response.status_code == 401, body[:20]


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(guarded: Callboard) -> None:
    response = await guarded.test_client().post("/sign-in", form={"name": "admin", "password": PASSWORD})
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_over_https_the_cookie_is_secure_and_bound_to_its_host(make_app: MakeApp) -> None:
    app = await make_app(admin_password=PASSWORD, public_url="https://board.example")
    response = await app.test_client().post("/sign-in", form={"name": "admin", "password": PASSWORD})
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    token = cookie.partition("=")[2].partition(";")[0]
    stranger = app.test_client()
    # The name without the prefix can be planted by a neighbouring host, so it opens nothing here.
    assert (await stranger.get("/", headers={"Cookie": f"{COOKIE}={token}"})).status_code == 303
    assert (await stranger.get("/", headers={"Cookie": f"{SECURE_COOKIE}={token}"})).status_code == 200


async def test_signing_in_ends_the_session_that_the_browser_came_with(guarded: Callboard) -> None:
    client, thief = guarded.test_client(), guarded.test_client()
    await sign_in(client)
    assert client.cookie_jar is not None
    (planted,) = [cookie.value for cookie in client.cookie_jar if cookie.name == COOKIE]
    assert planted is not None
    thief.set_cookie("localhost", COOKIE, planted)
    assert (await thief.get("/")).status_code == 200
    await sign_in(client)
    assert (await thief.get("/")).status_code == 303
    assert (await client.get("/")).status_code == 200


async def test_a_hash_of_less_work_is_made_anew_when_its_password_comes(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hash_of_admin() -> str:
        account = await guarded.database.read(partial(find_account, name="admin"))
        assert account is not None
        return account.password_hash

    old, elsewhere = await hash_of_admin(), guarded.test_client()
    await sign_in(elsewhere)
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert await sign_in(guarded.test_client(), "wrong password") == 401
    assert await hash_of_admin() == old
    assert await sign_in(guarded.test_client()) == 303
    renewed = await hash_of_admin()
    assert "t=2" in renewed
    assert await sign_in(guarded.test_client()) == 303
    assert await hash_of_admin() == renewed
    assert (await elsewhere.get("/")).status_code == 200


async def test_signing_out_ends_the_session_and_not_only_the_cookie(guarded: Callboard) -> None:
    client = guarded.test_client()
    signed_in = await client.post("/sign-in", form={"name": "admin", "password": PASSWORD})
    stolen = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
    assert (await guarded.test_client().get("/", headers=stolen)).status_code == 200
    assert (await post(client, "/sign-out")).headers["Location"] == "/sign-in"
    assert (await client.get("/")).status_code == 303
    assert (await guarded.test_client().get("/", headers=stolen)).status_code == 303


async def test_whoever_changes_the_password_stays_and_everybody_else_with_it_is_signed_out(guarded: Callboard) -> None:
    here, elsewhere = guarded.test_client(), guarded.test_client()
    assert await sign_in(here) == await sign_in(elsewhere) == 303
    form = {"present": PASSWORD, "wanted": "quite another one", "again": "quite another one"}
    changed = await post(here, "/account/password", **form)
    assert (changed.status_code, changed.headers["Location"]) == (303, "/account?changed=1")
    assert "Your password was changed" in await (await here.get("/account?changed=1")).get_data(as_text=True)
    assert (await elsewhere.get("/account")).status_code == 303
    assert await sign_in(elsewhere) == 401
    assert await sign_in(elsewhere, "quite another one") == 303


@pytest.mark.parametrize(
    ("present", "wanted", "again", "sentence"),
    [
        ("wrong", "quite another one", "quite another one", "The present password is wrong."),
        (PASSWORD, "quite another one", "quite another", "The two new passwords are not the same."),
        (PASSWORD, "short", "short", "at least 10 letters"),
        (PASSWORD, "", "", "at least 10 letters"),
        ("", "", "", "The present password is wrong."),
    ],
)
async def test_a_password_that_cannot_be_changed_stays_and_says_why(
    guarded: Callboard, present: str, wanted: str, again: str, sentence: str
) -> None:
    client = guarded.test_client()
    await sign_in(client)
    answer = await post(client, "/account/password", present=present, wanted=wanted, again=again)
    assert answer.status_code == 400
    assert sentence in await answer.get_data(as_text=True)
    assert await sign_in(guarded.test_client()) == 303


async def test_all_other_browsers_can_be_signed_out_at_once(guarded: Callboard) -> None:
    here, elsewhere = guarded.test_client(), guarded.test_client()
    assert await sign_in(here) == await sign_in(elsewhere) == 303
    assert (await post(here, "/account/sign-out-elsewhere")).status_code == 303
    assert (await here.get("/account")).status_code == 200
    assert (await elsewhere.get("/account")).status_code == 303


async def test_a_disabled_account_is_out_and_does_not_come_in_again(guarded: Callboard) -> None:
    client = guarded.test_client()
    await sign_in(client)
    await guarded.database.write(partial(add_account, name="other", password_hash="", now=1))
    admin = await guarded.database.read(partial(find_account, name="admin"))
    assert admin is not None
    await guarded.database.write(partial(disable, account=admin, now=2))
    assert (await client.get("/")).status_code == 303
    assert await sign_in(client) == 401


def sessions(app: Callboard) -> list[bytes]:
    return [*app.database.read_now(lambda session: session.exec(select(models.Session.token_hash)))]


def meanwhile(monkeypatch: pytest.MonkeyPatch, app: Callboard, change: Act, **to: Any) -> None:
    """While the next password is looked at, somebody else changes the account of the admin."""
    looks = passwords.matches
    left = [Change("admin", 2, **to)]

    def look(password_hash: str | None, password: str) -> bool:
        if left:
            app.database.write_now(lambda session: change(session, left.pop()))
        return looks(password_hash, password)

    monkeypatch.setattr(account_door, "matches", look)


async def test_a_sign_in_that_overlaps_the_end_of_its_account_begins_nothing(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await guarded.database.write(partial(add_account, name="other", password_hash="", now=1))
    meanwhile(monkeypatch, guarded, shut_out)
    client = guarded.test_client()
    assert await sign_in(client) == 401
    assert sessions(guarded) == []
    assert (await client.get("/")).status_code == 303


async def test_a_sign_in_that_overlaps_a_new_password_needs_the_new_one(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, guarded, give_password, password_hash=passwords.hash_password("quite another one"))
    assert await sign_in(guarded.test_client()) == 401
    assert sessions(guarded) == []
    assert await sign_in(guarded.test_client(), "quite another one") == 303


async def test_two_sign_ins_at_once_that_both_make_the_hash_anew_are_both_let_in(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    meanwhile(monkeypatch, guarded, give_password, password_hash=passwords.hash_password(PASSWORD))
    assert await sign_in(guarded.test_client()) == 303
    clients = [guarded.test_client() for _ in range(4)]
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=3, memory_cost=64, parallelism=1))
    assert await asyncio.gather(*map(sign_in, clients)) == [303] * 4
    assert [(await client.get("/account")).status_code for client in clients] == [200] * 4


async def test_an_own_new_password_that_overlaps_an_admins_changes_nothing_and_says_so(
    guarded: Callboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = guarded.test_client()
    await sign_in(client)
    meanwhile(monkeypatch, guarded, give_password, password_hash=passwords.hash_password("given by an admin"))
    answer = await post(client, "/account/password", present=PASSWORD, wanted="my own choice", again="my own choice")
    assert answer.status_code == 409
    assert "was changed at the same moment" in await answer.get_data(as_text=True)
    assert (await client.get("/")).status_code == 303
    assert await sign_in(client, "my own choice") == 401
    assert await sign_in(client, "given by an admin") == 303


async def test_a_session_of_a_disabled_account_is_none(guarded: Callboard) -> None:
    client = guarded.test_client()
    await sign_in(client)
    sql(guarded.database, "UPDATE account SET disabled_at = 2")
    assert (await client.get("/")).status_code == 303
    assert len(hashes := sessions(guarded)) == 1
    assert await guarded.database.read(partial(running_sessions, token_hashes=hashes, now=now_micros())) == set()


async def test_a_board_that_gets_an_account_while_it_runs_asks_to_sign_in_at_once(app: Callboard) -> None:
    client = app.test_client()
    assert (await client.get("/")).status_code == 200
    hashed = passwords.hash_password(PASSWORD)
    await app.database.write(partial(add_account, name="asha", password_hash=hashed, now=1))
    assert (await client.get("/")).status_code == 303
    assert await sign_in(client, name="asha") == 303
    assert (await client.get("/")).status_code == 200


async def test_nobody_has_an_account_page_where_nobody_signs_in(client: Client) -> None:
    for answer in (await client.get("/account"), await client.post("/account/sign-out-elsewhere")):
        assert answer.status_code == 404


# The streams of those who are signed in


@pytest.mark.parametrize(
    "path",
    ["/live", "/live?period=today&day=2020-01-01", "/wall/live?period=today", "/wall/live?period=today&key=shared"],
)
async def test_an_ended_session_ends_its_streams_and_no_other(guarded: Callboard, path: str) -> None:
    here, elsewhere = guarded.test_client(), guarded.test_client()
    assert await sign_in(here) == await sign_in(elsewhere) == 303
    await guarded.database.write(partial(add_wall_link, token="shared", query="period=today", now=1, made_by=""))
    async with here.request(path) as mine, elsewhere.request(path) as theirs:
        for stream in (mine, theirs):
            await stream.send_complete()
            await stream.receive()
        await post(here, "/sign-out")
        await guarded.visits.look()
        guarded.feed._beat()
        async with asyncio.timeout(10):
            # What was under way when the session ended; then the stream's end, which is empty.
            while await mine.receive():
                guarded.feed._beat()
        guarded.feed._beat()
        assert await theirs.receive()
        await theirs.disconnect()


# The audit log


async def test_who_came_and_went_stands_in_the_audit_log_newest_first(guarded: Callboard) -> None:
    client = guarded.test_client()
    await sign_in(client, "wrong one")
    await sign_in(client, name="nobody")
    await sign_in(client)
    await post(client, "/sign-out")
    await sign_in(client)
    page = await (await client.get("/audit")).get_data(as_text=True)
    actions = re.findall(r"<td>(signed in|signed out|wrong password)</td>", page)
    assert actions == ["signed in", "signed out", "signed in", "wrong password"]
    assert "nobody" not in page


@pytest.mark.parametrize(
    ("changes", "forwarded", "address"),
    [
        ({}, "203.0.113.9", "<local>"),
        ({"public_url": "https://board.example"}, "made up, 203.0.113.9", "203.0.113.9"),
        ({"public_url": "https://board.example"}, "", "<local>"),
        ({"public_url": "https://board.example", "proxy_hops": 0}, "203.0.113.9", "<local>"),
        ({"proxy_hops": 2}, "made up, 203.0.113.9,10.0.0.1", "203.0.113.9"),
        ({"proxy_hops": 2}, "203.0.113.9", "203.0.113.9"),
        ({"proxy_hops": 1}, "203.0.113.9:40001", "203.0.113.9"),
        ({"proxy_hops": 1}, "[2001:DB8::1]:443", "2001:db8::1"),
        ({"proxy_hops": 1}, "::ffff:203.0.113.9", "203.0.113.9"),
        ({"proxy_hops": 1}, "unknown", "<local>"),
    ],
)
async def test_the_address_is_what_our_own_proxies_saw(
    make_app: MakeApp, changes: dict[str, Any], forwarded: str, address: str
) -> None:
    app = await make_app(admin_password=PASSWORD, **changes)
    form = {"name": "admin", "password": PASSWORD}
    await app.test_client().post("/sign-in", form=form, headers={"X-Forwarded-For": forwarded})
    (line,) = await app.database.read(partial(audit.newest, most=2))
    assert line.address == address


async def test_the_audit_log_is_read_page_by_page(guarded: Callboard) -> None:
    client = guarded.test_client()
    await sign_in(client)

    def fill(session: Session) -> None:
        for number in range(250):
            audit.note(session, now=number, account="asha", action="tested", about=f"line {number}.")

    await guarded.database.write(fill)
    seen, address = [], "/audit"
    while address:
        page = await (await client.get(address)).get_data(as_text=True)
        seen += re.findall(r"line (\d+)\.", page)
        older = re.search(r'href="(/audit\?before=\d+)"', page)
        address = older[1] if older else ""
    assert seen == [str(number) for number in reversed(range(250))]
    for nonsense in ("x", "-1", "9" * 30, ""):
        assert (await client.get(f"/audit?before={nonsense}")).status_code == 400


@pytest.mark.parametrize("cookie", ["x", "é", "\xff\xfe", '"a\\377"', "a" * 5000, "", "\x01"], ids=range(7))
async def test_a_cookie_nobody_gave_out_is_no_session(guarded: Callboard, cookie: str) -> None:
    response = await guarded.test_client().get("/", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert response.status_code == 303


async def test_guessing_passwords_is_stopped_before_they_are_looked_at(guarded: Callboard) -> None:
    client = guarded.test_client()
    statuses = [await sign_in(client, f"guess {number}") for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    # The right one is not looked at either: otherwise every guess would still count.
    assert await sign_in(client) == 429


async def test_many_guesses_at_once_are_not_more_guesses(guarded: Callboard) -> None:
    client = guarded.test_client()
    statuses = await asyncio.gather(*(sign_in(client, f"guess {number}") for number in range(30)))
    assert statuses.count(401) <= 12
    assert statuses.count(429) >= 18


@pytest.mark.parametrize(
    ("asked_for", "led_to"),
    [
        ("/", "/"),
        ("/calls/7?x=1", "/calls/7?x=1"),
        ("/?q=नमस्ते", "/?q=%E0%A4%A8%E0%A4%AE%E0%A4%B8%E0%A5%8D%E0%A4%A4%E0%A5%87"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("https://evil.example", "/"),
        ("evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("\\\\evil.example", "/"),
        (" //evil.example", "/"),
    ],
    ids=range(14),
)
async def test_after_signing_in_nobody_is_led_to_another_site(guarded: Callboard, asked_for: str, led_to: str) -> None:
    form = {"name": "admin", "password": PASSWORD, "next": asked_for}
    response = await guarded.test_client().post("/sign-in", form=form)
    assert (response.status_code, response.headers["Location"]) == (303, led_to)


@given(st.text(alphabet=st.one_of(st.sampled_from("/\\:@.?#\t\n e"), st.characters()), max_size=20))
def test_any_next_is_a_path_of_this_board(text: str) -> None:
    path = _safe_next(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert not any(character in path for character in "\\\r\n\t")


def test_a_password_is_dear_to_guess() -> None:
    # What OWASP asks of argon2id at the least: 19 MiB and two rounds.
    assert HASHER.memory_cost >= 19 * 1024
    assert HASHER.time_cost >= 2


FIELDS = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}


def typed_fields(html: str) -> list[dict[str, str]]:
    """The attributes of every field for a name or a password."""
    fields = [dict(re.findall(r'([a-z-]+)="([^"]*)"', field)) for field in re.findall(r"<input\b[^>]*>", html)]
    return [field for field in fields if field.get("type") == "password" or field.get("name") == "name"]


async def test_phones_leave_names_and_passwords_as_they_are_typed(make_app: MakeApp) -> None:
    app = await make_app()
    client = app.test_client()
    # Without an account: the form of the first one.
    pages = [await (await client.get("/accounts")).get_data(as_text=True)]
    hashed = passwords.hash_password(PASSWORD)
    await app.database.write(partial(add_account, name="admin", password_hash=hashed, now=1))
    pages.append(await (await client.get("/sign-in")).get_data(as_text=True))
    await sign_in(client)
    pages += [await (await client.get(path)).get_data(as_text=True) for path in ("/account", "/accounts")]
    for html, least in zip(pages, (2, 2, 4, 3), strict=True):
        fields = [field for field in typed_fields(html) if field.get("type") != "hidden"]
        assert len(fields) >= least
        for field in fields:
            assert {name: field.get(name) for name in FIELDS} == FIELDS, field
            if field.get("type") == "password":
                assert field["autocomplete"] in ("current-password", "new-password")
            else:
                assert field["inputmode"] == "text"
                assert field["autocomplete"] in ("username", "off")
