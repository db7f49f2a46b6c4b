"""Accounts from the command line: made, listed, disabled, given another password, while a board runs or not."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import select

from dashboard import passwords
from dashboard.__main__ import main
from dashboard.database import Database
from dashboard.models import Session
from dashboard.passwords import SHORTEST, BadPassword, hash_password, matches
from dashboard.roles import EVERYTHING
from dashboard.store.accounts import find_account, start_session
from dashboard.store.tokens import add_token
from tests.stored import rows

User = Callable[..., tuple[int, str, str]]
PASSWORD = "correct horse é battery"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", type(passwords._hasher)(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> User:
    """Runs `user …` with a password on standard input; gives the exit code and what was said on both outputs."""
    monkeypatch.setenv("DASHBOARD_DATA", str(tmp_path))

    def run(*arguments: str, password: str = PASSWORD) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
        code = main(["user", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def file(tmp_path: Path, user: User) -> Iterator[Database]:
    """The database of that board, where Asha and Bina have accounts."""
    for name in ("asha", "bina"):
        assert user("add", name)[0] == 0
    made = Database(f"sqlite:///{tmp_path / 'callboard.db'}")
    yield made
    made.close()


def test_an_account_is_made_with_a_hash_and_no_password(file: Database) -> None:
    account = file.read_now(lambda session: find_account(session, "asha"))
    assert account is not None
    assert account.password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(rows(file, "account"))
    assert matches(account.password_hash, PASSWORD)
    assert not matches(account.password_hash, PASSWORD[:-1])


def test_accounts_are_listed_with_what_became_of_them(file: Database, user: User) -> None:
    user("disable", "bina")
    _, said, _ = user("list")
    asha, bina = said.splitlines()
    assert asha.startswith("asha")
    assert "seen never" in asha
    assert bina.startswith("bina")
    assert "disabled 2" in bina


def test_a_board_without_accounts_says_how_to_make_one(user: User) -> None:
    assert user("list") == (0, "There is no account yet. To make one: user add NAME.\n", "")


def test_whoever_disables_somebody_hears_of_the_tokens_that_go_on(file: Database, user: User) -> None:
    file.write_now(partial(add_token, token="a token", name="crm", rights=EVERYTHING, now=1))
    code, said, _ = user("disable", "bina")
    assert code == 0
    assert "API tokens are nobody's and go on: end those bina knows (crm)." in said


@pytest.mark.parametrize("action", ["passwd", "disable"])
def test_another_password_or_none_at_all_signs_out_everywhere(file: Database, user: User, action: str) -> None:
    for account_id in (1, 2):
        file.write_now(partial(start_session, account_id=account_id, token=f"of {account_id}", now=1))
    assert user(action, "bina", password="another password")[0] == 0
    assert file.read_now(lambda session: session.scalars(select(Session.account_id)).all()) == [1]


def test_the_new_password_is_the_one_that_opens(file: Database, user: User) -> None:
    user("passwd", "bina", password="another password")
    account = file.read_now(lambda session: find_account(session, "bina"))
    assert account is not None
    assert matches(account.password_hash, "another password")
    assert not matches(account.password_hash, PASSWORD)


def test_the_last_account_that_can_sign_in_stays(file: Database, user: User) -> None:
    assert user("disable", "asha")[0] == 0
    code, _, problem = user("disable", "bina")
    assert code == 1
    assert "bina is the only admin who can sign in" in problem
    assert user("enable", "asha")[0] == 0
    assert user("disable", "bina")[0] == 0


def test_an_account_gets_its_role_and_its_campaigns(file: Database, user: User) -> None:
    assert user("add", "nora", "--role", "viewer", "--campaigns", "south, north")[0] == 0
    assert user("role", "bina", "reviewer")[1].startswith("bina is reviewer now")
    _, said, _ = user("list")
    lines = [re.split(r" {2,}", line)[:2] for line in said.splitlines()]
    assert lines == [["asha", "admin"], ["bina", "reviewer"], ["nora", "viewer of north, south"]]
    assert user("role", "nora", "viewer")[0] == 0
    assert "viewer of" not in user("list")[1]


@pytest.mark.parametrize("campaigns", ["", ",", " "])
@pytest.mark.parametrize("arguments", [("add", "nora", "--role", "viewer"), ("role", "bina", "viewer")])
def test_a_limit_that_names_no_campaign_opens_none_but_is_refused(
    file: Database, user: User, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], campaigns: str
) -> None:
    before = rows(file, "account")
    with pytest.raises(SystemExit):
        user(*arguments, "--campaigns", campaigns)
    assert "names no campaign; leave --campaigns out to let it see all of them" in capsys.readouterr().err
    assert rows(file, "account") == before


def test_another_role_signs_out_everywhere(file: Database, user: User) -> None:
    file.write_now(partial(start_session, account_id=2, token="of bina", now=1))
    user("role", "bina", "viewer")
    assert file.read_now(lambda session: session.scalars(select(Session.account_id)).all()) == []


def test_the_last_admin_stays_one_and_sees_every_campaign(file: Database, user: User) -> None:
    assert user("role", "asha", "viewer")[0] == 0
    for arguments in (("role", "bina", "viewer"), ("disable", "bina")):
        code, _, problem = user(*arguments)
        assert code == 1
        assert "bina is the only admin who can sign in" in problem
    code, _, problem = user("role", "bina", "admin", "--campaigns", "north")
    assert code == 1
    assert "An admin sees every campaign." in problem


def test_the_first_account_is_an_admin(user: User) -> None:
    code, _, problem = user("add", "asha", "--role", "viewer")
    assert code == 1
    assert "The first account must be an admin" in problem


def test_everything_done_stands_in_the_audit_log_under_the_command_line(file: Database, user: User) -> None:
    for action in ("passwd", "disable", "enable"):
        user(action, "bina")
    lines = [(line["account"], line["action"], line["about"]) for line in rows(file, "audit")][2:]
    actions = ("password changed", "account disabled", "account enabled")
    assert lines == [("command line", action, "bina") for action in actions]


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        (("add", "asha"), PASSWORD, "There is an account asha already."),
        (("add", "Asha"), PASSWORD, "There is an account asha already."),
        (("add", "ａｓｈａ"), PASSWORD, "There is an account asha already."),
        (("add", "asha\ufe0f"), PASSWORD, "There is an account asha already."),
        (("add", "as\u034fha\u3164"), PASSWORD, "There is an account asha already."),
        (("add", "\u3164"), PASSWORD, "A name has 1 to 100 letters"),
        (("add", "This  machine"), PASSWORD, "The audit log calls something else This  machine."),
        (("add", "Token crm"), PASSWORD, "The audit log calls something else Token crm."),
        (("add", "  "), PASSWORD, "A name has 1 to 100 letters"),
        (("add", "a\x07b"), PASSWORD, "A name has 1 to 100 letters"),
        (("add", "x" * 101), PASSWORD, "A name has 1 to 100 letters"),
        (("add", "chitra"), "short", "at least 10 letters"),
        (("add", "chitra"), "", "at least 10 letters"),
        (("passwd", "bina"), "x" * 1001, "at most 1000 letters"),
        (("passwd", "nobody"), PASSWORD, "There is no account nobody."),
        (("disable", "nobody"), PASSWORD, "There is no account nobody."),
        (("enable", "nobody"), PASSWORD, "There is no account nobody."),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_why(
    file: Database, user: User, arguments: tuple[str, ...], password: str, sentence: str
) -> None:
    before = rows(file, "account")
    code, said, problem = user(*arguments, password=password)
    assert (code, said) == (1, "")
    assert sentence in problem
    assert rows(file, "account") == before
    assert len(rows(file, "audit")) == 2


def test_a_password_is_long_enough_whatever_it_is_made_of() -> None:
    with pytest.raises(BadPassword):
        hash_password("ab1$Ab1$x")
    assert matches(hash_password("a" * SHORTEST), "a" * SHORTEST)


def test_where_there_is_no_hash_no_password_is_right() -> None:
    assert not matches(None, PASSWORD)
    assert not matches("no hash at all", PASSWORD)
