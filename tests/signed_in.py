"""People who sign in, by the form or past it: a password's hash costs a test a tenth of a second."""

from __future__ import annotations

from quart.typing import TestClientProtocol
from sqlmodel import Session

from dashboard.roles import Rights
from dashboard.store.accounts import add_account, find_account, start_session
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.visitor import COOKIE

PASSWORD = "correct horse é battery"


async def sign_in(
    client: TestClientProtocol, password: str = PASSWORD, name: str = "admin", next_page: str = "/"
) -> int:
    """By the form; the status of its answer."""
    form = {"name": name, "password": password, "next": next_page}
    return (await client.post("/sign-in", form=form)).status_code


async def browser_of(app: Callboard, name: str, rights: Rights) -> TestClientProtocol:
    """A new account's browser, past the form; the board asks everybody to sign in from then on."""

    def begin(session: Session) -> None:
        add_account(session, name, "no hash", now_micros(), rights)
        session.flush()
        account = find_account(session, name)
        assert account is not None
        assert account.id is not None
        start_session(session, account.id, f"session-of-{name}", now_micros())

    await app.database.write(begin)
    client = app.test_client()
    client.set_cookie("localhost", COOKIE, f"session-of-{name}")
    return client
