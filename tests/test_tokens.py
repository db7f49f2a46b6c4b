"""Tokens for programs: made, shown once, used where they may be, ended."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from quart import Response
from quart.typing import TestClientProtocol as Client

from dashboard.__main__ import main
from dashboard.database import Database
from dashboard.roles import ADMIN, VIEWER, Rights
from dashboard.store import audit
from dashboard.store.tokens import add_token, bearer_of, end_token, tokens
from dashboard.tokens import BadToken, token_rights
from dashboard.web.parts import Callboard
from tests.cast import enter_cast
from tests.forms import post
from tests.reports import WEBHOOK, report
from tests.stored import rows

MakeApp = Callable[..., Awaitable[Callboard]]
Token = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def guarded(make_app: MakeApp) -> Callboard:
    app = await make_app(webhook_secrets=("hush",))
    assert (await app.test_client().post(f"{WEBHOOK}?token=hush", data=report(batchId="north"))).status_code == 200
    return app


async def bearing(app: Callboard, token: str, path: str = "/api/calls", scheme: str = "Bearer") -> Response:
    return await app.test_client().get(path, headers={"Authorization": f"{scheme} {token}"})


async def made(client: Client, name: str = "crm", role: str = VIEWER, campaigns: str = "") -> str:
    """The token that the page shows."""
    html = await (await post(client, "/tokens", name=name, role=role, campaigns=campaigns)).get_data(as_text=True)
    found = re.search(r'id="token">(callboard_[\w-]{43})<', html)
    assert found is not None, html
    return found[1]


async def test_a_token_reads_as_its_role_may_until_it_is_ended(guarded: Callboard) -> None:
    admin = (await enter_cast(guarded))["ada"]
    token, all_seeing = await made(admin), await made(admin, "export", ADMIN)
    for each, number in ((token, "87•••••109"), (all_seeing, "918765432109")):
        [call] = (await (await bearing(guarded, each)).get_json())["calls"]
        assert call["customer_number"] == number
    html = await (await admin.get("/tokens")).get_data(as_text=True)
    assert token not in html
    assert html.count("never</td>") == 0
    assert (await post(admin, "/tokens/1/end")).status_code == 303
    assert (await bearing(guarded, token)).status_code == 401
    assert (await bearing(guarded, all_seeing)).status_code == 200
    assert "ended <time" in await (await admin.get("/tokens")).get_data(as_text=True)


async def test_a_token_opens_no_page_no_stream_and_no_file(guarded: Callboard) -> None:
    token = await made((await enter_cast(guarded))["ada"], role=ADMIN)
    for path in ("/", "/calls/1", "/tokens", "/audit", "/wall"):
        assert (await bearing(guarded, token, path)).status_code == 303, path
    for path in ("/live", "/calls.csv", "/calls.jsonl"):
        assert (await bearing(guarded, token, path)).status_code == 401, path
    client = guarded.test_client()
    assert (await client.post("/tokens", form={}, headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_a_token_is_limited_to_its_campaigns(guarded: Callboard) -> None:
    admin = (await enter_cast(guarded))["ada"]
    south = await made(admin, campaigns="south\r\n\r\n east ")
    assert (await (await bearing(guarded, south)).get_json())["calls"] == []
    assert (await bearing(guarded, south, "/api/calls/1")).status_code == 404
    assert "viewer of east, south" in await (await admin.get("/tokens")).get_data(as_text=True)


async def test_what_is_no_token_is_refused_in_json(guarded: Callboard) -> None:
    await enter_cast(guarded)
    for given in ("", "x", "é", "\xff", "callboard_" + "x" * 43, "x" * 5000):
        answer = await bearing(guarded, given)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "/tokens" in (await answer.get_json())["message"]


async def test_a_wrong_token_is_not_mended_by_a_sign_in(guarded: Callboard) -> None:
    client = (await enter_cast(guarded))["ada"]
    assert (await client.get("/api/calls")).status_code == 200
    assert (await client.get("/api/calls", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_wrong_tokens_are_slowed_down_and_a_right_one_is_taken_all_the_same(guarded: Callboard) -> None:
    token = await made((await enter_cast(guarded))["ada"])
    statuses = [(await bearing(guarded, f"guess {number}")).status_code for number in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    assert (await bearing(guarded, token)).status_code == 200


async def test_other_schemes_than_bearer_are_none(guarded: Callboard) -> None:
    token = await made((await enter_cast(guarded))["ada"])
    assert (await bearing(guarded, token, scheme="bearer")).status_code == 200
    assert (await bearing(guarded, token, scheme="Basic")).status_code == 401


async def test_a_token_that_cannot_be_made_is_told_why(guarded: Callboard) -> None:
    admin = (await enter_cast(guarded))["ada"]
    await made(admin, "taken")
    for name, role, campaigns, sentence in (
        ("", "viewer", "", "A name has 1 to 100 letters"),
        ("x" * 101, "viewer", "", "A name has 1 to 100 letters"),
        ("a\x07b", "viewer", "", "all of which can be printed"),
        ("crm", "king", "", "The role must be admin, reviewer, viewer."),
        ("crm", "", "", "The role must be"),
        ("crm", "admin", "north", "An admin sees every campaign."),
        ("crm", "viewer", "\n".join(map(str, range(101))), "At most 100 campaigns"),
        ("taken", "viewer", "", "There is a token taken already."),
    ):
        answer = await post(admin, "/tokens", name=name, role=role, campaigns=campaigns)
        assert answer.status_code == 400
        assert sentence in await answer.get_data(as_text=True)
    assert len(await guarded.database.read(tokens)) == 1


async def test_making_and_ending_stand_in_the_audit_log_and_the_token_nowhere(guarded: Callboard) -> None:
    admin = (await enter_cast(guarded))["ada"]
    token = await made(admin, campaigns="north")
    for _ in range(2):
        await post(admin, "/tokens/1/end")
    await post(admin, "/tokens/99/end")
    lines = await guarded.database.read(partial(audit.newest, most=9))
    assert [(line.account, line.action, line.about) for line in lines] == [
        ("ada", "token ended", "crm"),
        ("ada", "token made", "crm: viewer of north"),
    ]
    assert token not in str(rows(guarded.database, "api_token") + rows(guarded.database, "audit"))


def test_a_name_is_free_again_once_its_token_was_ended(database: Database) -> None:
    for number in range(2):
        database.write_now(partial(add_token, token=f"t{number}", name="crm", rights=Rights(VIEWER), now=1))
        found = database.read_now(partial(bearer_of, token=f"t{number}", now=2))
        assert found is not None
        assert found.is_due
        assert database.write_now(partial(end_token, token_id=found.token_id, now=3)) == "crm"
        assert database.write_now(partial(end_token, token_id=found.token_id, now=4)) is None
        assert database.read_now(partial(bearer_of, token=f"t{number}", now=5)) is None
    assert [token.ended_at for token in database.read_now(tokens)] == [3, 3]


# From the command line


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Token:
    """Runs `token …`; gives the exit code and what was said on both outputs."""
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["token", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_command_prints_the_token_alone_and_says_beside_it_what_it_opens(token: Token, tmp_path: Path) -> None:
    code, said, beside = token("add", "crm", "--role", "reviewer", "--campaign", "north")
    assert code == 0
    assert re.fullmatch(r"callboard_[\w-]{43}\n", said)
    assert "crm may read /api/… as reviewer of north." in beside
    assert "no account" in beside
    file = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    found = file.read_now(partial(bearer_of, token=said.strip(), now=1))
    file.close()
    assert found is not None
    assert found.rights == Rights("reviewer", ("north",))


def test_tokens_are_listed_and_ended_by_name(token: Token) -> None:
    assert token("list") == (0, "There is no token yet. To make one: token add NAME.\n", "")
    with pytest.raises(SystemExit):
        token("add", "crm", "--role", "viewer", "--campaign", "")
    _, said, beside = token("list")
    assert said == "There is no token yet. To make one: token add NAME.\n"
    assert "names no campaign; leave --campaign out to let it read all of them" in beside
    token("add", "crm")
    code, _, problem = token("add", "crm")
    assert (code, "There is a token crm already." in problem) == (1, True)
    assert token("end", "crm") == (0, "crm opens nothing any more.\n", "")
    code, _, problem = token("end", "crm")
    assert (code, "There is no token crm that still opens something." in problem) == (1, True)
    assert re.search(r"^crm  made 2.*  ended 2.*  viewer of all campaigns$", token("list")[1], re.MULTILINE)


def test_rights_are_sorted_and_without_blanks() -> None:
    assert token_rights("x", "viewer", ["b ", "", "a", "b"]) == Rights("viewer", ("a", "b"))
    with pytest.raises(BadToken):
        token_rights("x", "viewer", ["a\x00b"])
