"""A board with an admin, a reviewer and a viewer, each signed in already."""

from __future__ import annotations

from functools import partial

from quart.typing import TestClientProtocol as Client
from sqlmodel import Session

from dashboard.roles import ADMIN, REVIEWER, VIEWER, Rights
from dashboard.store.accounts import add_account, find_account, start_session
from dashboard.web.parts import Callboard, now_micros
from dashboard.web.visitor import COOKIE

CAST = {"ada": Rights(ADMIN), "rita": Rights(REVIEWER), "vera": Rights(VIEWER)}


async def enter_cast(app: Callboard) -> dict[str, Client]:
    """A client of each, by name; the board asks to sign in from now on."""
    return {name: await enter(app, name, rights) for name, rights in CAST.items()}


async def enter(app: Callboard, name: str, rights: Rights) -> Client:
    """The client of a new account, signed in without a password having been hashed."""

    def sign_in(session: Session) -> None:
        now = now_micros()
        add_account(session, name, "", now, rights)
        session.flush()
        account = find_account(session, name)
        assert account is not None
        assert account.id is not None
        start_session(session, account.id, f"session-of-{name}", now)

    await app.database.write(partial(sign_in))
    client = app.test_client()
    client.set_cookie("localhost", COOKIE, f"session-of-{name}")
    return client
