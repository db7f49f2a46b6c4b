"""The audit log: who did what. Lines are added and read.

Only a number that is erased is taken out of them, and an erasure's own line says how far it has come.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, func, select, update

from dashboard.models import Audit

# What people do, in the words that the page shows.
SIGNED_IN, SIGNED_OUT, WRONG_PASSWORD = "signed in", "signed out", "wrong password"
ADDED, DISABLED, ENABLED, PASSWORD_SET = "account added", "account disabled", "account enabled", "password changed"
SIGNED_OUT_ELSEWHERE = "signed out other browsers"
RIGHTS_CHANGED = "role changed"
RECORDING_OPENED, NUMBER_SHOWN = "recording opened", "number shown"
RECORDING_RETRIED = "recording fetched again"
REPORT_OPENED, REPLAYED = "report downloaded", "reports replayed"
ERASED = "person erased"
FORWARD_RETRIED, FORWARD_SKIPPED = "report sent again", "report not sent"
WALL_SHARED, WALLS_ENDED = "wall shared", "wall links ended"
TOKEN_MADE, TOKEN_ENDED = "token made", "token ended"
EXPORTED, READ_BY_API = "calls exported", "calls read by the API"
GAP_FILLED, GAP_OPENED = "gap marked as filled", "gap marked as not filled"
COMMAND_LINE = "command line"
"""Who acts where nobody is signed in: whoever may run commands on the server."""
THIS_MACHINE = "this machine"
"""The same at the board itself, while it has no account."""
NOT_ACCOUNTS = (COMMAND_LINE, THIS_MACHINE)
BEARER_OF = "token "
"""What stands before the name of a token that acts."""

_LONGEST = 500
_LOOKED_BACK = 1000


def note(session: Session, *, now: int, account: str, action: str, about: str = "", address: str = "") -> Audit:
    """Write a line; `now` in microseconds since 1970. Stands in the transaction of what it tells of."""
    line = Audit(at=now, account=account, action=action, about=about[:_LONGEST], address=address)
    session.add(line)
    return line


def is_noted(session: Session, *, since: int, account: str, action: str, about: str) -> bool:
    """Whether one of the last thousand lines, `since` or later in microseconds since 1970, says just that."""
    newest_id = select(func.max(col(Audit.id))).scalar_subquery()
    found = session.exec(
        select(Audit.id)
        .where(col(Audit.id) > newest_id - _LOOKED_BACK, Audit.at >= since)
        .where(Audit.account == account, Audit.action == action, Audit.about == about[:_LONGEST])
        .limit(1)
    )
    return found.first() is not None


def tell_anew(session: Session, line: int, about: str) -> None:
    """What a line is about, once more is known of it."""
    session.execute(update(Audit).where(col(Audit.id) == line).values(about=about[:_LONGEST]))


def newest(session: Session, most: int, before: int | None = None) -> Sequence[Audit]:
    """The last lines, newest first; those that follow the line with the id `before`."""
    statement = select(Audit).order_by(col(Audit.id).desc()).limit(most)
    return session.exec(statement if before is None else statement.where(col(Audit.id) < before)).all()
