"""Which recordings are wanted, due, kept or given up. A change of state is a change of its call: it takes a number."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import bindparam, delete, exists, func, insert, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_model

from dashboard.database.clock import tick
from dashboard.models import Call, Discarded, Recording, table_of

WAITING, KEPT, FAILED, EXPIRED = "waiting", "kept", "failed", "expired"
# After an attempt that may yet succeed: the platform can announce a recording before it can be fetched.
RETRY_AFTER_SECONDS = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_LEASE_SECONDS = 180


_recording, _discarded = table_of(Recording), table_of(Discarded)
_KNOWN = select(_recording.c.call_id).where(_recording.c.call_id.in_(bindparam("call_ids", expanding=True)))
_WANT = insert(_recording)
# What was kept from the old address stays, and is played, until there is something to put in its place.
_WANT_ANEW = (
    update(_recording)
    .where(_recording.c.call_id == bindparam("known_id"))
    .values(url=bindparam("new_url"), state=WAITING, attempts=0, due_at=bindparam("now"), problem="")
)


def want_recordings(session: Session, urls: Mapping[int, str], *, first_time: bool = False) -> None:
    """Fetch these recordings (url by call id), instead of what was wanted for those calls before, if anything was."""
    connection = session.connection()
    known = set() if first_time else set(connection.scalars(_KNOWN, {"call_ids": list(urls)}))
    now = _now()
    new = [
        {"call_id": call_id, "url": url, "state": WAITING, "attempts": 0, "due_at": now}
        for call_id, url in urls.items()
        if call_id not in known
    ]
    if new:
        connection.execute(_WANT, new)
    if known:
        connection.execute(
            _WANT_ANEW, [{"known_id": call_id, "new_url": urls[call_id], "now": now} for call_id in known]
        )


def claim_due(session: Session, most: int) -> Sequence[Recording]:
    """Take up to `most` recordings that are due, for a while.

    No other process fetches them meanwhile, and if this one dies they come back.
    """
    now = _now()
    due = session.exec(
        select_model(Recording)
        .where(Recording.state == WAITING, Recording.due_at <= now)
        # The latest due first: people listen to what has just come in, while a backlog is still being fetched.
        .order_by(col(Recording.due_at).desc(), col(Recording.call_id).desc())
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    for recording in due:
        recording.due_at = now + _LEASE_SECONDS * 1_000_000
        recording.attempts += 1
    session.flush()
    return due


def any_due(session: Session) -> bool:
    """Whether `claim_due` would find anything: asked on a reader, so that an idle board does not write every second."""
    statement = select_model(Recording.call_id).where(Recording.state == WAITING, Recording.due_at <= _now()).limit(1)
    return session.exec(statement).first() is not None


def note_kept(session: Session, claimed: Recording, *, file: str, content_type: str, size: int) -> None:
    before = session.execute(select(_recording.c.file).where(_recording.c.call_id == claimed.call_id)).scalar()
    is_noted = _note(session, claimed, state=KEPT, file=file, content_type=content_type, size=size, problem="")
    # What lies in the folder and belongs to no call, nobody could find again to erase it.
    discard(session, [each for each in (before if is_noted else file,) if each and (each != file or not is_noted)])


def note_failed(session: Session, claimed: Recording, problem: str, *, is_final: bool) -> None:
    """Write down a failed attempt; tries again later unless it is final or was the last."""
    if is_final or claimed.attempts > len(RETRY_AFTER_SECONDS):
        _note(session, claimed, state=FAILED, problem=problem)
    else:
        due_at = _now() + RETRY_AFTER_SECONDS[claimed.attempts - 1] * 1_000_000
        _note(session, claimed, due_at=due_at, problem=problem)


def count_by_state(session: Session) -> dict[str, int]:
    """How many recordings wait, are kept, were given up."""
    counts = session.execute(select(_recording.c.state, func.count()).group_by(_recording.c.state))
    return {WAITING: 0, KEPT: 0, FAILED: 0} | {row[0]: row[1] for row in counts}


def recording_of(session: Session, call_id: int) -> Recording | None:
    return session.get(Recording, call_id)


def discard(session: Session, files: Collection[str]) -> None:
    """Note files of recordings that may have lost their last call; whoever keeps the folder removes them."""
    connection = session.connection()
    known = set(connection.scalars(select(_discarded.c.file).where(_discarded.c.file.in_(set(files)))))
    if new := [{"file": file} for file in sorted(set(files) - known)]:
        connection.execute(insert(_discarded), new)


def discard_unknown(session: Session, files: Collection[str]) -> int:
    """Discard those of these files that no call has; gives how many."""
    known = session.connection().scalars(select(_recording.c.file).where(_recording.c.file.in_(files)))
    unknown = set(files).difference(known)
    discard(session, unknown)
    return len(unknown)


def discarded(session: Session, most: int = 50) -> Sequence[tuple[str, bool]]:
    """The next few discarded files, and whether one is still (or again) of some call: they are named by content."""
    is_used = exists().where(_recording.c.file == _discarded.c.file)
    rows = session.connection().execute(select(_discarded.c.file, is_used).limit(most))
    return [(file, bool(used)) for file, used in rows]


def forget_discarded(session: Session, files: Collection[str]) -> None:
    session.connection().execute(delete(_discarded).where(_discarded.c.file.in_(files)))


def _note(session: Session, claimed: Recording, **values: object) -> bool:
    """Whether it was still wanted."""
    seq = tick(session, 1)
    # Only if it is still wanted from where it was fetched, for a later report may have brought another address; and
    # only by the last who claimed it, for one whose claim ran out would otherwise undo what the next one kept; and not
    # once it has reached its age, or it would be kept for ever.
    is_ours = (
        col(Recording.call_id) == claimed.call_id,
        col(Recording.url) == claimed.url,
        col(Recording.attempts) == claimed.attempts,
        col(Recording.state) == WAITING,
    )
    noted = session.execute(update(Recording).where(*is_ours).values(**values))
    if noted.rowcount:  # type: ignore[attr-defined]
        session.execute(update(Call).where(col(Call.id) == claimed.call_id).values(seq=seq))
    return bool(noted.rowcount)  # type: ignore[attr-defined]


def _now() -> int:
    return time.time_ns() // 1000
