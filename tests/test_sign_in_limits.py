"""Guessed passwords are slowed down wherever they come from, and the owner of the account gets in meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client
from sqlmodel import Session, select

from dashboard.accounts import Act, Change, give_password, give_rights, shut_out
from dashboard.database import Database
from dashboard.models import Account, KnownBrowser
from dashboard.passwords import hash_password
from dashboard.roles import ADMIN, REVIEWER, Rights
from dashboard.store import known_browsers
from dashboard.store.accounts import add_account, end_all_sessions, find_account
from dashboard.store.known_browsers import (
    KEPT_SECONDS,
    Known,
    known_as,
    remember_browser,
)
from dashboard.store.tokens import add_token
from dashboard.tokens import new_token
from dashboard.web.client_address import client_at
from dashboard.web.known_browser import BROWSER_COOKIE, SECURE_BROWSER_COOKIE
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.sign_in_limits import (
    FIRST_TRIES,
    MOST_BY_CLIENT,
    MOST_BY_KNOWN_ADDRESS,
    Attempt,
    SignInLimits,
)
from tests.forms import post
from tests.reports import WEBHOOK, report
from tests.signed_in import PASSWORD

MakeApp = Callable[..., Awaitable[Callboard]]
DAY = 86_400 * 1_000_000

pytestmark = pytest.mark.usefixtures("cheap_sign_ins")


@pytest.fixture
async def proxied(make_app: MakeApp) -> Callboard:
    """A board with an account behind one proxy of ours."""
    return await make_app(admin_password=PASSWORD, webhook_secrets=("hush",), proxy_hops=1)


async def enter(
    app: Callboard, address: str, password: str = PASSWORD, *, client: Client | None = None, name: str = "admin"
) -> int:
    """The status of one sign-in, as the proxy hands it on from this address."""
    form, headers = {"name": name, "password": password}, {"X-Forwarded-For": address}
    return (await (client or app.test_client()).post("/sign-in", form=form, headers=headers)).status_code


async def guesses(app: Callboard, addresses: list[str]) -> Counter[int]:
    """The answers to one wrong password from each of these addresses."""
    return Counter([await enter(app, address, f"guess {number}") for number, address in enumerate(addresses)])


async def use_up_the_name(app: Callboard, first_network: int = 0) -> None:
    """Guess from so many networks that the limit of the name is reached: with no limit of a client in the way."""
    assert await guesses(app, [f"10.{first_network}.{number}.1" for number in range(60)]) == {401: 60}


async def test_sixty_addresses_of_one_ipv6_network_are_slowed_as_one_and_the_owner_gets_in(proxied: Callboard) -> None:
    assert await guesses(proxied, [f"2001:db8::{n:x}" for n in range(1, 61)]) == {401: 10, 429: 50}
    assert await enter(proxied, "203.0.113.9") == 303


async def test_a_thousand_ports_of_one_address_are_slowed_as_one_and_the_owner_gets_in(proxied: Callboard) -> None:
    ports = [f"203.0.113.10:{port}" for port in range(40_000, 40_500)]
    bracketed = [f"[::ffff:203.0.113.10]:{port}" for port in range(40_500, 41_000)]
    assert await guesses(proxied, ports + bracketed) == {401: 10, 429: 990}
    assert await enter(proxied, "203.0.113.9") == 303


async def test_behind_a_proxy_reached_by_an_ipv6_socket_visitors_are_told_apart(make_app: MakeApp) -> None:
    app = await make_app(admin_password=PASSWORD, public_url="https://board.example")
    form = {"name": "admin", "password": "wrong"}
    scope = {"client": ("::ffff:127.0.0.1", 40000)}

    async def sign_in(password: str, address: str) -> int:
        headers = {"X-Forwarded-For": address, "Host": "board.example"}
        answer = await app.test_client().post(
            "/sign-in", form=form | {"password": password}, headers=headers, scope_base=scope
        )
        return answer.status_code

    assert [await sign_in("wrong", "203.0.113.10") for _ in range(11)] == [401] * 10 + [429]
    assert await sign_in(PASSWORD, "203.0.113.9") == 303


@pytest.mark.parametrize("peer", ["::ffff:127.0.0.1", "::ffff:127.3.2.1", "127.0.0.1", "::1"])
async def test_a_board_without_accounts_is_open_to_this_machine_on_every_socket(app: Callboard, peer: str) -> None:
    assert (await app.test_client().get("/", scope_base={"client": (peer, 1)})).status_code == 200
    assert (
        await app.test_client().post(WEBHOOK, data=report("a"), scope_base={"client": (peer, 1)})
    ).status_code == 200


@pytest.mark.parametrize("peer", ["::ffff:198.51.100.7", "198.51.100.7", "2001:db8::1"])
async def test_a_board_without_accounts_refuses_every_other_machine(app: Callboard, peer: str) -> None:
    assert (await app.test_client().get("/", scope_base={"client": (peer, 1)})).status_code == 403
    assert (
        await app.test_client().post(WEBHOOK, data=report("a"), scope_base={"client": (peer, 1)})
    ).status_code == 403


async def test_wrong_tokens_from_one_ipv6_network_or_many_ports_are_slowed_as_one(proxied: Callboard) -> None:
    async def ask(address: str) -> int:
        headers = {"Authorization": f"Bearer {new_token()}", "X-Forwarded-For": address}
        return (await proxied.test_client().get("/api/board", headers=headers)).status_code

    assert Counter([await ask(f"2001:db8::{n:x}") for n in range(1, 41)]) == {401: 30, 429: 10}
    assert Counter([await ask(f"203.0.113.10:{port}") for port in range(40_000, 40_040)]) == {401: 30, 429: 10}
    assert await ask("203.0.113.9") == 401


@pytest.mark.parametrize(
    ("neighbours", "honest"),
    [
        ([f"203.0.113.{number}" for number in range(4)], "203.0.113.200"),
        ([f"2001:db8:0:{number:x}00::1" for number in range(4)], "2001:db8:0:ff00::1"),
    ],
    ids=["IPv4 /24", "IPv6 /48"],
)
async def test_a_right_token_is_taken_whatever_its_neighbours_send(
    make_app: MakeApp, neighbours: list[str], honest: str
) -> None:
    app = await make_app(admin_password=PASSWORD, proxy_hops=1, metrics_token="for-metrics-only")
    token = new_token()
    await app.database.write(partial(add_token, token=token, name="crm", rights=Rights(ADMIN), now=1))

    async def ask(path: str, token: str, address: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
        return (await app.test_client().get(path, headers=headers)).status_code

    wrong = [await ask("/api/board", new_token(), address) for address in neighbours for _ in range(31)]
    assert Counter(wrong) == {401: 120, 429: 4}
    for address in (honest, neighbours[0]):
        assert await ask("/api/board", token, address) == 200
        assert await ask("/metrics", token, address) == 200
        assert await ask("/metrics", "for-metrics-only", address) == 200
        assert await ask("/metrics", "for-metrics-0nly", address) == 429


async def test_wrong_webhook_secrets_are_slowed_by_client_and_the_right_one_is_always_taken(proxied: Callboard) -> None:
    async def send(address: str, secret: str = "wrong") -> int:
        headers = {"X-Forwarded-For": address, "Authorization": f"Bearer {secret}"}
        return (await proxied.test_client().post(WEBHOOK, data=report("a"), headers=headers)).status_code

    assert Counter([await send(f"2001:db8::{n:x}") for n in range(1, 41)]) == {401: 30, 429: 10}
    assert Counter([await send(f"203.0.113.10:{port}") for port in range(40_000, 40_040)]) == {401: 30, 429: 10}
    assert await send("203.0.113.9") == 401
    assert await send("2001:db8::1", "hush") == 200


async def test_several_apps_of_a_process_have_limits_of_their_own(make_app: MakeApp) -> None:
    first, second = await make_app(admin_password=PASSWORD), await make_app(admin_password=PASSWORD)
    wrong = {"name": "admin", "password": "wrong"}
    assert [(await first.test_client().post("/sign-in", form=wrong)).status_code for _ in range(11)][-1] == 429
    assert (await second.test_client().post("/sign-in", form=wrong)).status_code == 401
    bad = {"Authorization": "Bearer wrong"}
    assert [(await first.test_client().get("/api/board", headers=bad)).status_code for _ in range(31)][-1] == 429
    assert (await second.test_client().get("/api/board", headers=bad)).status_code == 401


# Guesses at one name from everywhere


async def test_a_known_browser_gets_in_at_once_whatever_others_do(proxied: Callboard) -> None:
    owner = proxied.test_client()
    assert await enter(proxied, "203.0.113.9", client=owner) == 303
    await post(owner, "/sign-out")
    await use_up_the_name(proxied)
    assert await guesses(proxied, ["198.51.100.7"] * 12) == {401: FIRST_TRIES, 429: 12 - FIRST_TRIES}
    # The browser has been carried to a network that others are refused from.
    assert await enter(proxied, "198.51.100.7", client=owner) == 303


@pytest.mark.parametrize(("first", "then"), [("203.0.113.9", "203.0.113.9:4001"), ("2001:db8::1", "2001:db8::2")])
async def test_a_new_browser_at_an_address_of_the_account_gets_in_whatever_others_do(
    proxied: Callboard, first: str, then: str
) -> None:
    proxied.sign_in_limits = SignInLimits(by_name=6, by_name_of_new_networks=6)
    assert await enter(proxied, first) == 303
    assert await guesses(proxied, [f"10.0.{number}.1" for number in range(14)]) == {401: 12, 429: 2}
    assert await enter(proxied, "198.51.100.7") == 429
    assert await enter(proxied, then) == 303


async def test_an_address_of_the_account_has_a_limit_of_its_own(proxied: Callboard) -> None:
    assert await enter(proxied, "203.0.113.9") == 303
    assert await guesses(proxied, ["203.0.113.9"] * 12) == {401: 10, 429: 2}
    assert await enter(proxied, "203.0.113.10") == 303


async def accounts_at(app: Callboard, address: str, names: list[str]) -> None:
    """Accounts of these names that have signed in from an address."""
    for name in names:
        add = partial(add_account, name=name, password_hash=hash_password(PASSWORD), now=1)
        await app.database.write(add)
        assert await enter(app, address, name=name) == 303


async def test_guesses_at_every_account_of_a_shared_address_have_one_limit(proxied: Callboard) -> None:
    names = [f"person {number}" for number in range(12)]
    office = "203.0.113.9"
    await accounts_at(proxied, office, names)
    looked_at = 0
    count_wrong = proxied.sign_in_limits.count_wrong

    def counted(attempt: Attempt) -> None:
        nonlocal looked_at
        looked_at += 1
        count_wrong(attempt)

    proxied.sign_in_limits.count_wrong = counted  # type: ignore[method-assign]
    answers = Counter([await enter(proxied, office, "wrong", name=name) for _ in range(10) for name in names])
    assert answers == {401: MOST_BY_CLIENT, 429: 110}
    assert looked_at == MOST_BY_KNOWN_ADDRESS


async def test_over_the_limits_the_people_of_a_known_address_get_in_and_no_answer_tells_which_names_exist(
    proxied: Callboard,
) -> None:
    office, elsewhere = "203.0.113.9", "198.51.100.7"
    await accounts_at(proxied, office, ["asha"])
    await accounts_at(proxied, elsewhere, ["bina"])
    proxied.sign_in_limits = SignInLimits()
    names = ["asha", "bina", "nobody"]
    first = [[await enter(proxied, office, "wrong", name=name) for name in names] for _ in range(6)]
    # The limit of a client is reached with the tenth.
    assert first == [[401] * 3] * 3 + [[401, 429, 429]] + [[429] * 3] * 2
    # Not even a right password tells, but where it opens.
    assert [await enter(proxied, office, name=name) for name in names] == [303, 429, 429]
    assert await enter(proxied, "192.0.2.1", name="bina") == 303


@pytest.mark.parametrize("name", ["asha", "bina", "nobody"])
async def test_the_answers_to_guesses_at_one_name_are_the_same_for_every_name(proxied: Callboard, name: str) -> None:
    office, elsewhere = "203.0.113.9", "198.51.100.7"
    await accounts_at(proxied, office, ["asha"])
    await accounts_at(proxied, elsewhere, ["bina"])
    proxied.sign_in_limits = SignInLimits(by_name=6, by_name_of_new_networks=6)
    spread = [await enter(proxied, f"10.0.{number}.1", "wrong", name=name) for number in range(13)]
    assert spread == [401] * 12 + [429]
    # The limit of the name is reached everywhere.
    assert [await enter(proxied, office, "wrong", name=name) for _ in range(3)] == [429] * 3
    # That counts for the client, too.
    others = [await enter(proxied, office, "wrong", name=f"other {number}") for number in range(8)]
    assert others == [401] * 7 + [429]


async def test_a_known_browser_has_a_limit_of_its_own(proxied: Callboard) -> None:
    owner = proxied.test_client()
    await enter(proxied, "203.0.113.9", client=owner)
    wrong = [await enter(proxied, f"10.9.{n}.1", "wrong", client=owner) for n in range(11)]
    assert wrong == [401] * 10 + [429]
    # Nor do its wrong passwords count for the name or the addresses.
    assert await enter(proxied, "10.9.1.1") == 303


async def test_a_new_browser_of_the_owner_gets_in_while_others_guess_at_the_name(proxied: Callboard) -> None:
    await use_up_the_name(proxied)
    # All the networks that have used their first tries up are refused now.
    for _ in range(FIRST_TRIES):
        await guesses(proxied, ["10.0.1.1"])
    assert await enter(proxied, "10.0.1.1") == 429
    assert await enter(proxied, "203.0.113.9", "a slip") == 401
    assert await enter(proxied, "203.0.113.9") == 303


def test_however_many_networks_guess_the_passwords_that_are_looked_at_are_bounded() -> None:
    limits = SignInLimits(by_client=10, by_name=60, by_name_of_new_networks=240)
    looked_at = 0
    for number in range(5000):
        attempt = Attempt(client_at(f"10.{number % 256}.{number // 256}.1"), "admin", 1)
        if not limits.is_over(attempt):
            looked_at += 1
            limits.count_wrong(attempt)
    assert looked_at == 300


def test_guesses_at_one_account_slow_no_other_name_down() -> None:
    limits = SignInLimits()
    for number in range(400):
        limits.count_wrong(Attempt(client_at(f"10.{number % 256}.{number // 256}.1"), "admin", 1))
    somewhere = client_at("203.0.113.9")
    assert limits.is_over(Attempt(client_at("10.0.0.2"), "admin", 1))
    assert not limits.is_over(Attempt(somewhere, "asha", 2))
    assert not limits.is_over(Attempt(somewhere, "admin"))


def test_made_up_names_do_not_push_the_count_of_an_account_out() -> None:
    limits = SignInLimits(by_client=10**6)
    spread = [client_at(f"10.{n % 256}.{n // 256}.1") for n in range(400)]
    for client in spread:
        limits.count_wrong(Attempt(client, "admin", 1))
    for number in range(11_000):
        limits.count_wrong(Attempt(client_at("203.0.113.9"), f"made up {number}"))
    assert limits.is_over(Attempt(client_at("203.0.113.9"), "admin", 1))


async def test_a_known_browser_does_not_wait_behind_the_checks_of_others() -> None:
    limits = SignInLimits()
    other, owner = Attempt(client_at("10.0.0.1"), "admin", 1), Attempt(client_at("10.0.0.2"), "admin", 1, "known")
    neighbour = Attempt(client_at("10.0.0.2"), "admin", 1, is_own_address=True, is_known_address=True)
    release, running = asyncio.Event(), 0

    async def check(attempt: Attempt) -> None:
        nonlocal running
        async with limits.turn(attempt):
            running += 1
            await release.wait()

    waiting = [asyncio.create_task(check(attempt)) for attempt in (other, neighbour) for _ in range(25)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running == 1
    async with asyncio.timeout(5), limits.turn(owner):
        assert limits.checks.locked()
    release.set()
    await asyncio.gather(*waiting)


# The cookie of a known browser


def browser_cookie(client: Client) -> str:
    (value,) = [cookie.value for cookie in client.cookie_jar or () if cookie.name == BROWSER_COOKIE]
    assert value
    return value


def browser_hashes(app: Callboard) -> list[bytes]:
    return [*app.database.read_now(lambda session: session.exec(select(KnownBrowser.token_hash)))]


async def is_known(app: Callboard, token: str, name: str = "admin") -> bool:
    def look(session: Session) -> bool:
        account = find_account(session, name)
        assert account is not None
        assert account.id is not None
        return known_as(session, token, "elsewhere", account.id, now_micros()).browser != ""

    return await app.database.read(look)


async def test_the_cookie_is_random_out_of_reach_of_scripts_and_stored_as_a_hash(proxied: Callboard) -> None:
    form = {"name": "admin", "password": PASSWORD}
    cookies = [
        (await proxied.test_client().post("/sign-in", form=form)).headers.getlist("Set-Cookie")[1] for _ in range(2)
    ]
    tokens = [cookie.partition("=")[2].partition(";")[0] for cookie in cookies]
    assert tokens[0] != tokens[1]
    assert all(len(token) >= 43 for token in tokens)
    for cookie in cookies:
        assert cookie.startswith(f"{BROWSER_COOKIE}=")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert not {token.encode() for token in tokens} & set(browser_hashes(proxied))
    # Two browsers and their one address.
    assert len(browser_hashes(proxied)) == 3


async def test_over_https_the_cookie_is_secure_and_bound_to_its_host(make_app: MakeApp) -> None:
    app = await make_app(admin_password=PASSWORD, public_url="https://board.example")
    answer = await app.test_client().post("/sign-in", form={"name": "admin", "password": PASSWORD})
    cookie = answer.headers.getlist("Set-Cookie")[1]
    assert cookie.startswith(f"{SECURE_BROWSER_COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


async def test_a_failed_sign_in_sets_no_cookie_and_the_cookie_alone_opens_nothing(proxied: Callboard) -> None:
    wrong = await proxied.test_client().post("/sign-in", form={"name": "admin", "password": "wrong"})
    assert "Set-Cookie" not in wrong.headers
    owner, thief = proxied.test_client(), proxied.test_client()
    await enter(proxied, "203.0.113.9", client=owner)
    thief.set_cookie("localhost", BROWSER_COOKIE, browser_cookie(owner))
    assert (await thief.get("/account")).status_code == 303


async def test_a_sign_in_gives_the_browser_another_token_and_ends_the_one_it_had(proxied: Callboard) -> None:
    owner = proxied.test_client()
    await enter(proxied, "203.0.113.9", client=owner)
    before = browser_cookie(owner)
    await enter(proxied, "203.0.113.9", client=owner)
    assert await is_known(proxied, browser_cookie(owner))
    assert not await is_known(proxied, before)
    # The browser and its address.
    assert len(browser_hashes(proxied)) == 2


async def test_a_browser_of_two_people_is_known_to_both_and_to_no_other_account(proxied: Callboard) -> None:
    for name in ("asha", "bina"):
        add = partial(add_account, name=name, password_hash=hash_password(PASSWORD), now=1)
        await proxied.database.write(add)
    shared = proxied.test_client()
    for name in ("admin", "asha"):
        assert (await shared.post("/sign-in", form={"name": name, "password": PASSWORD})).status_code == 303
    token = browser_cookie(shared)
    assert [await is_known(proxied, token, name) for name in ("admin", "asha", "bina")] == [True, True, False]


@pytest.mark.parametrize(
    ("act", "to"),
    [
        (give_password, {"password_hash": "another"}),
        (shut_out, {}),
        (give_rights, {"rights": Rights(REVIEWER)}),
    ],
    ids=["a new password", "disabled", "other rights"],
)
async def test_what_signs_an_account_out_everywhere_forgets_its_browsers(
    proxied: Callboard, act: Act, to: dict[str, Any]
) -> None:
    await proxied.database.write(partial(add_account, name="other", password_hash="", now=1))
    owner = proxied.test_client()
    await enter(proxied, "203.0.113.9", client=owner)
    await proxied.database.write(lambda session: act(session, Change("admin", 2)._replace(**to)))
    assert browser_hashes(proxied) == []


@pytest.mark.parametrize("path", ["/account/password", "/account/sign-out-elsewhere"])
async def test_signing_out_everywhere_else_keeps_this_browser_known_and_no_other(proxied: Callboard, path: str) -> None:
    here, elsewhere = proxied.test_client(), proxied.test_client()
    await enter(proxied, "203.0.113.9", client=here)
    await enter(proxied, "203.0.113.9", client=elsewhere)
    answer = await post(here, path, present=PASSWORD, wanted="quite another one", again="quite another one")
    assert answer.status_code == 303
    assert await is_known(proxied, browser_cookie(here))
    assert not await is_known(proxied, browser_cookie(elsewhere))


async def test_the_owner_changes_the_password_while_others_guess_at_the_name(proxied: Callboard) -> None:
    owner = proxied.test_client()
    await enter(proxied, "203.0.113.9", client=owner)
    await use_up_the_name(proxied)
    form = {"present": PASSWORD, "wanted": "quite another one", "again": "quite another one"}
    assert (await post(owner, "/account/password", **form)).status_code == 303


# The store, on both databases


def account_of(session: Session, name: str) -> int:
    add_account(session, name, "no hash", 1)
    session.flush()
    account = session.exec(select(Account).where(Account.name == name)).one()
    assert account.id is not None
    return account.id


def test_a_browser_is_forgotten_after_half_a_year_without_a_sign_in(database: Database) -> None:
    asha = database.write_now(partial(account_of, name="asha"))
    database.write_now(partial(remember_browser, old_token="", token="t", network="a", account_id=asha, now=DAY))
    last = DAY + KEPT_SECONDS * 1_000_000
    assert database.read_now(partial(known_as, token="t", network="b", account_id=asha, now=last - 1)).browser
    assert database.read_now(partial(known_as, token="t", network="a", account_id=asha, now=last)) == Known()
    database.write_now(partial(remember_browser, old_token="", token="new", network="a", account_id=asha, now=last))
    assert database.read_now(lambda session: len(session.exec(select(KnownBrowser)).all())) == 2


def test_an_account_has_a_bounded_number_of_known_browsers_and_of_addresses_the_newest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    most_browsers, most_addresses = 12, 5
    monkeypatch.setattr(known_browsers, "MOST_BROWSERS", most_browsers)
    monkeypatch.setattr(known_browsers, "MOST_ADDRESSES", most_addresses)
    asha, bina = (database.write_now(partial(account_of, name=name)) for name in ("asha", "bina"))

    def is_known(account_id: int, token: str = "", network: str = "elsewhere") -> bool:
        look = partial(known_as, token=token, network=network, account_id=account_id, now=9_999)
        known = database.read_now(look)
        return known.browser != "" or known.is_own_address

    def sign_in_often(session: Session) -> None:
        remember_browser(session, "", "b", "home of b", bina, 1)
        for number in range(most_browsers + 5):
            remember_browser(session, "", str(number), f"network {number}", asha, number + 2)

    database.write_now(sign_in_often)
    last = most_browsers + 4
    browsers = [is_known(asha, token=str(number)) for number in (0, 4, 5, last)]
    assert browsers == [False, False, True, True]
    gone = last - most_addresses
    networks = [is_known(asha, network=f"network {number}") for number in (0, gone, gone + 1, last)]
    assert networks == [False, False, True, True]
    assert is_known(bina, token="b")
    assert is_known(bina, network="home of b")


def test_the_browser_of_an_owner_stays_known_while_two_hundred_browsers_share_the_account(database: Database) -> None:
    shared = database.write_now(partial(account_of, name="team"))

    def sign_in(session: Session) -> None:
        remember_browser(session, "", "owner", "office", shared, 1)
        for number in range(200):
            # Each changes its address.
            for place in range(2):
                old = f"browser {number}" if place else ""
                remember_browser(session, old, f"browser {number}", f"{place} of {number}", shared, 2 + number)

    database.write_now(sign_in)
    look = partial(known_as, token="owner", network="elsewhere", account_id=shared, now=9_999)
    assert database.read_now(look).browser


def test_every_address_that_an_account_signed_in_from_stays_known_and_a_cookie_cannot_name_one(
    database: Database,
) -> None:
    asha = database.write_now(partial(account_of, name="asha"))
    for number, network in enumerate(("home", "train", "office")):
        step = partial(
            remember_browser,
            old_token=str(number - 1) if number else "",
            token=str(number),
            network=network,
            account_id=asha,
            now=1,
        )
        database.write_now(step)
    known = {
        (token, network): database.read_now(partial(known_as, token=token, network=network, account_id=asha, now=2))
        for token, network in (("", "home"), ("", "train"), ("", "office"), ("", "elsewhere"), ("2", "elsewhere"),
                               ("0", "elsewhere"), ("home", "elsewhere"), ("network home", "elsewhere"))
    }  # fmt: skip
    assert [pair for pair, found in known.items() if found.browser or found.is_own_address] == [
        ("", "home"),
        ("", "train"),
        ("", "office"),
        ("2", "elsewhere"),
    ]
    assert [pair for pair, found in known.items() if found.browser] == [("2", "elsewhere")]
    bina = database.write_now(partial(account_of, name="bina"))
    for account_id in (bina, None):
        look = partial(known_as, token="2", network="home", account_id=account_id, now=2)
        assert database.read_now(look) == Known(is_known_address=True)


def test_after_a_restore_no_browser_is_known(database: Database) -> None:
    asha = database.write_now(partial(account_of, name="asha"))
    database.write_now(partial(remember_browser, old_token="", token="t", network="a", account_id=asha, now=1))
    database.write_now(end_all_sessions)
    assert database.read_now(partial(known_as, token="t", network="a", account_id=asha, now=2)) == Known()
