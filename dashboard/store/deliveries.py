"""What came in lately, and the calls it tells of: for whoever waits for the first report. Reads no body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlmodel import Session

from dashboard.models import Call, Inbox, table_of
from dashboard.store.calls import IS_SIMULATED


class Delivery(NamedTuple):
    """An inbox row; `call_id` and what follows is of the call it tells of, and None where it tells of none."""

    id: int
    verdict: str
    event: str
    problem: str
    call_id: int | None
    started_at: int | None
    duration_seconds: int | None
    campaign: str | None
    is_simulated: bool | None


_inbox, _call = table_of(Inbox), table_of(Call)
_AFTER = (
    select(
        _inbox.c.id,
        _inbox.c.verdict,
        _inbox.c.event,
        _inbox.c.problem,
        _inbox.c.call_id,
        _call.c.started_at,
        _call.c.duration_seconds,
        _call.c.campaign,
        IS_SIMULATED,
    )
    .outerjoin_from(_inbox, _call, _inbox.c.call_id == _call.c.id)
    .where(_inbox.c.id > bindparam("after"))
    .order_by(_inbox.c.id)
    .limit(bindparam("most"))
)


def deliveries_after(session: Session, number: int, most: int = 100) -> Sequence[Delivery]:
    """The next deliveries with a larger number, oldest first."""
    rows = session.connection().execute(_AFTER, {"after": number, "most": most})
    return [Delivery._make(row) for row in rows]
