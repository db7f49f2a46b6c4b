"""API tokens: which there are, and what the bearer of one may do. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from dashboard.models import ApiToken
from dashboard.roles import Rights

# How often a use moves `seen_at`: each answer would otherwise be a write.
_SEEN_EVERY_SECONDS = 300


class NameTaken(Exception):
    """A token of this name is in use: two of one name could not be told apart in the audit log."""


class Bearer(NamedTuple):
    """Which token it is, what it may do, and whether its use is to be written down."""

    token_id: int
    name: str
    rights: Rights
    is_due: bool


def add_token(session: Session, token: str, name: str, rights: Rights, now: int) -> None:
    """Whoever bears the token may do so much from now on. Raises NameTaken."""
    if running_token(session, name) is not None:
        raise NameTaken
    campaigns = json.dumps(rights.campaigns, ensure_ascii=False)
    sha = _hash(token)
    session.add(ApiToken(token_hash=sha, name=name, role=rights.role, campaigns=campaigns, created_at=now))


def tokens(session: Session) -> Sequence[ApiToken]:
    """Every token by name, those that were ended last."""
    ended_last = col(ApiToken.ended_at).is_not(None)
    return session.exec(select(ApiToken).order_by(ended_last, ApiToken.name, col(ApiToken.id))).all()


def running_token(session: Session, name: str) -> ApiToken | None:
    """The token of this name that was not ended."""
    return session.exec(select(ApiToken).where(ApiToken.name == name, col(ApiToken.ended_at).is_(None))).first()


def end_token(session: Session, token_id: int, now: int) -> str | None:
    """It opens nothing from now on. Gives its name; None where there is none that still opens something."""
    found = session.get(ApiToken, token_id)
    if found is None or found.ended_at is not None:
        return None
    found.ended_at = now
    session.add(found)
    return found.name


def end_all_tokens(session: Session, now: int) -> None:
    session.execute(update(ApiToken).where(col(ApiToken.ended_at).is_(None)).values(ended_at=now))


def bearer_of(session: Session, token: str, now: int) -> Bearer | None:
    """Who bears this token, unless it was never made or was ended."""
    found = session.exec(
        select(ApiToken).where(ApiToken.token_hash == _hash(token), col(ApiToken.ended_at).is_(None))
    ).first()
    if found is None or found.id is None:
        return None
    is_due = found.seen_at is None or now - found.seen_at > _SEEN_EVERY_SECONDS * 1_000_000
    return Bearer(found.id, found.name, rights_of(found), is_due)


def rights_of(token: ApiToken) -> Rights:
    return Rights(token.role, tuple(json.loads(token.campaigns)))


def note_used(session: Session, token_id: int, now: int) -> None:
    session.execute(update(ApiToken).where(col(ApiToken.id) == token_id).values(seen_at=now))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
