"""Finds and blanks a person's number outside calls and the audit log: in shared walls, rights and report headers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import RowMapping, delete, func, or_, select, update
from sqlmodel import Session

from dashboard.models import Account, ApiToken, Inbox, WallLink, table_of
from dashboard.store.persons import BLANKED, ROWS_AT_ONCE, Quoting, Target

# Ids of the inbox that one step looks at: nearly all of their headers are alike.
HEADERS_AT_ONCE = 20_000

_inbox, _wall_link = table_of(Inbox), table_of(WallLink)
_RIGHTS = (table_of(Account), table_of(ApiToken))


class Elsewhere(NamedTuple):
    """What quotes the number: the hashes of wall links, and ids of accounts and of tokens."""

    wall_links: Sequence[bytes]
    accounts: Sequence[int]
    tokens: Sequence[int]

    @property
    def total(self) -> int:
        return sum(map(len, self))


def quoted_elsewhere(session: Session, target: Target) -> Elsewhere:
    """The few rows of walls, accounts and tokens that quote a person's number."""
    connection = session.connection()
    links = connection.execute(select(_wall_link.c.token_hash, _wall_link.c.query))
    hashes = [bytes(token_hash) for token_hash, query in links if target.is_quoted_in(query)]
    accounts, tokens = (
        [row["id"] for row in connection.execute(select(table)).mappings() if _changes(row, target)]
        for table in _RIGHTS
    )
    return Elsewhere(hashes, accounts, tokens)


def blank_elsewhere(session: Session, target: Target) -> int:
    """Take the number out of all of these; gives of how many.

    A wall link is deleted: without its filter it would show more calls. A campaign that is named by the number gives
    way to a word that no campaign is named by: without any campaign an account would see them all.
    """
    found = quoted_elsewhere(session, target)
    connection = session.connection()
    connection.execute(delete(_wall_link).where(_wall_link.c.token_hash.in_(found.wall_links)))
    for table, ids in zip(_RIGHTS, (found.accounts, found.tokens), strict=True):
        for row in connection.execute(select(table).where(table.c.id.in_(ids))).mappings().all():
            connection.execute(update(table).where(table.c.id == row["id"]).values(_changes(row, target)))
    return found.total


def _changes(row: RowMapping, target: Target) -> dict[str, str]:
    """The columns of an account or a token that quote the number, without it."""
    values: dict[str, str] = {}
    campaigns = json.loads(row["campaigns"])
    if any(map(target.is_quoted_in, campaigns)):
        blanked = (BLANKED if target.is_quoted_in(campaign) else campaign for campaign in campaigns)
        values["campaigns"] = json.dumps(list(dict.fromkeys(blanked)))
    # An account's name is how somebody signs in: it stays.
    if "token_hash" in row and target.is_quoted_in(row["name"]):
        values["name"] = BLANKED
    return values


def headers_quoting(session: Session, after: int, target: Target) -> Quoting | None:
    """Of the next reports of calls, those whose headers quote the number; None when there are no more."""
    connection = session.connection()
    last = connection.execute(select(func.max(_inbox.c.id))).scalar_one()
    if last is None or last <= after:
        return None
    upto = after + HEADERS_AT_ONCE
    near = (_inbox.c.id > after, _inbox.c.id <= upto, _inbox.c.call_id.is_not(None))
    pairs = connection.execute(select(_inbox.c.user_agent, _inbox.c.content_type).where(*near).distinct())
    quoting = [each for each in dict.fromkeys(header for pair in pairs for header in pair) if target.is_quoted_in(each)]
    if not quoting:
        return Quoting(upto, [], set())
    ids: set[int] = set()
    # Neither database takes a statement with as many values as there can be.
    for start in range(0, len(quoting), ROWS_AT_ONCE):
        some = quoting[start : start + ROWS_AT_ONCE]
        is_quoting = or_(_inbox.c.user_agent.in_(some), _inbox.c.content_type.in_(some))
        ids.update(connection.scalars(select(_inbox.c.id).where(*near, is_quoting)))
    return Quoting(upto, sorted(ids), set())


def blank_headers(session: Session, ids: Sequence[int]) -> None:
    session.connection().execute(update(_inbox).where(_inbox.c.id.in_(ids)).values(user_agent="", content_type=""))
