"""Which recordings are wanted, due, kept or given up. A change of state is a change of its call: it takes a number."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import and_, bindparam, case, delete, exists, func, insert, or_, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_model

from dashboard.database.clock import tick
from dashboard.models import Call, Discarded, Recording, table_of
from dashboard.recordings.outcomes import CUT, cut_cause, is_cut

WAITING, KEPT, FAILED, EXPIRED = "waiting", "kept", "failed", "expired"
# After an attempt that may yet succeed: the platform can announce a recording before it can be fetched.
RETRY_AFTER_SECONDS = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_LEASE_SECONDS = 180
_UNCOUNTED_WAIT_SECONDS = 300


_recording, _discarded = table_of(Recording), table_of(Discarded)
_KNOWN = select(_recording.c.call_id).where(_recording.c.call_id.in_(bindparam("call_ids", expanding=True)))
_WANT = insert(_recording)
# What was kept from the old address stays, and is played, until there is something to put in its place.
_WANT_ANEW = (
    update(_recording)
    .where(_recording.c.call_id == bindparam("known_id"))
    .values(url=bindparam("new_url"), state=WAITING, attempts=0, due_at=bindparam("now"), problem="", cause="")
)
# What can be asked for again: nothing that has reached its age.
_ASKED_AGAIN = {"state": WAITING, "attempts": 0, "problem": ""}
_IS_CUT = or_(_recording.c.cause == CUT, _recording.c.cause.startswith(f"{CUT} "))
_IS_GIVEN_UP = or_(_recording.c.state == FAILED, and_(_recording.c.state == KEPT, _IS_CUT))
_IS_OPEN = or_(_recording.c.state.in_((WAITING, FAILED)), and_(_recording.c.state == KEPT, _IS_CUT))
_call = table_of(Call)
_RENUMBER = update(_call).where(_call.c.id == bindparam("of_call")).values(seq=bindparam("number"))
MOST_AT_ONCE = 200
"""Rows that one transaction changes: reports wait meanwhile."""


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


def note_kept(
    session: Session,
    claimed: Recording,
    *,
    file: str,
    content_type: str,
    size: int,
    codec: str = "",
    cut_off: str = "",
) -> None:
    """Write down a file that was kept.

    `cut_off` says why its end is missing: then it is kept where there is nothing better, and the rest is tried again.
    """
    row = _recording.c
    known = select(row.file, row.size, row.cause).where(row.call_id == claimed.call_id)
    before = session.execute(known).one_or_none()
    values: dict[str, object] = {"state": KEPT, "problem": cut_off, "cause": CUT if cut_off else ""}
    found = {"file": file, "content_type": content_type, "size": size, "codec": codec}
    if cut_off:
        values |= _next_try(claimed, KEPT)
        if before is not None and before.file and (not is_cut(before.cause) or before.size >= size):
            found = {"file": before.file}
            values["cause"] = CUT if is_cut(before.cause) else before.cause
    is_noted = _note(session, claimed, **values, **found)
    # What lies in the folder and belongs to no call, nobody could find again to erase it.
    in_use = found["file"] if is_noted else (before.file if before is not None else "")
    candidates = {file, before.file if before is not None else ""}
    discard(session, [each for each in candidates if each and each != in_use])


def note_failed(
    session: Session,
    claimed: Recording,
    problem: str,
    *,
    is_final: bool,
    cause: str = "",
    wait_seconds: float | None = None,
    is_counted: bool = True,
) -> None:
    """Write down a failed attempt; tries again later unless it is final or was the last.

    `wait_seconds` is how long the host wants to be left alone. An attempt that is not counted says nothing of the
    recording: it is made again, however many there were.
    """
    values: dict[str, object] = {"problem": problem, "cause": cause}
    if not is_counted:
        values |= {"attempts": claimed.attempts - 1, "due_at": _now() + _UNCOUNTED_WAIT_SECONDS * 1_000_000}
    elif is_final:
        values["state"] = FAILED
    else:
        values |= _next_try(claimed, FAILED, wait_seconds or 0)
    row = _recording.c
    has_beginning = select(row.call_id).where(row.call_id == claimed.call_id, row.file != "", _IS_CUT)
    if session.execute(has_beginning).first() is not None:
        # The beginning that is kept stays what it is: a recording whose end is missing.
        values["cause"] = cut_cause(cause)
        if values.get("state") == FAILED:
            values["state"] = KEPT
    _note(session, claimed, **values)


def _next_try(claimed: Recording, state_at_end: str, wait_seconds: float = 0) -> dict[str, object]:
    """When the next attempt is due, or the state after the last one."""
    if claimed.attempts > len(RETRY_AFTER_SECONDS):
        return {"state": state_at_end}
    wait = max(RETRY_AFTER_SECONDS[claimed.attempts - 1], min(wait_seconds, RETRY_AFTER_SECONDS[-1]))
    return {"state": WAITING, "due_at": _now() + int(wait * 1_000_000)}


def fetch_again(session: Session, call_ids: Collection[int], *, only_given_up: bool = False) -> int:
    """Fetch these recordings once more, at once; gives how many that are. One that has reached its age stays away.

    With `only_given_up` those that are kept whole or waited for already are left alone.
    """
    row = _recording.c
    where = [row.call_id.in_(call_ids), row.url != "", row.state != EXPIRED]
    if only_given_up:
        where.append(_IS_GIVEN_UP)
    return len(_ask_again(session, session.connection().scalars(select(row.call_id).where(*where)).all()))


def given_up(session: Session, after: int = 0, most: int = MOST_AT_ONCE) -> Sequence[Recording]:
    """The next recordings, by call, that nothing is done about any more: not kept, or only their beginning."""
    statement = select_model(Recording).where(col(Recording.call_id) > after, _IS_GIVEN_UP)
    return session.exec(statement.order_by(col(Recording.call_id)).limit(most)).all()


def unexamined(session: Session, after: int, most: int = 20) -> Sequence[Recording]:
    """The next recordings, by call, that an earlier version kept without decoding them."""
    of_old = (col(Recording.call_id) > after, Recording.file != "", Recording.codec == "")
    return session.exec(select_model(Recording).where(*of_old).order_by(col(Recording.call_id)).limit(most)).all()


def note_examined(session: Session, examined: Recording, content_type: str, codec: str, *, shows: bool) -> None:
    """Write down what an old file holds; `shows` where the call's page says something else from now on."""
    row = _recording.c
    is_same = (row.call_id == examined.call_id, row.file == examined.file)
    session.connection().execute(update(_recording).where(*is_same).values(content_type=content_type, codec=codec))
    if shows:
        _renumber(session, [examined.call_id])


def note_empty(session: Session, examined: Recording) -> None:
    """An old file has no sound in it: discard it, and fetch the recording once more."""
    row = _recording.c
    is_same = (row.call_id == examined.call_id, row.file == examined.file)
    gone = {"file": "", "content_type": "", "size": 0}
    session.connection().execute(update(_recording).where(*is_same).values(gone))
    discard(session, [examined.file])
    fetch_again(session, [examined.call_id])


def open_causes(session: Session) -> Sequence[str]:
    """Why recordings were not fetched so far, each cause once."""
    return session.connection().scalars(select(_recording.c.cause).where(_IS_OPEN).distinct()).all()


def release(session: Session, causes: Collection[str], most: int = MOST_AT_ONCE) -> int:
    """Fetch the next recordings that one of these causes kept away; gives how many that are."""
    row = _recording.c
    # Those that wait for their first attempt, or are under way, have no cause.
    stopped = select(row.call_id).where(_IS_OPEN, row.cause.in_(causes)).limit(most)
    cause = case((_IS_CUT, CUT), else_="")
    return len(_ask_again(session, session.connection().scalars(stopped).all(), cause=cause))


def _ask_again(session: Session, call_ids: Sequence[int], **values: object) -> Sequence[int]:
    """Make these due; each change takes a number, so that open pages show it."""
    if call_ids:
        again = _ASKED_AGAIN | {"due_at": _now()} | values
        session.connection().execute(update(_recording).where(_recording.c.call_id.in_(call_ids)).values(again))
        _renumber(session, call_ids)
    return call_ids


def _renumber(session: Session, call_ids: Sequence[int]) -> None:
    number = tick(session, len(call_ids))
    numbers = [{"of_call": call_id, "number": each} for each, call_id in enumerate(call_ids, number)]
    session.connection().execute(_RENUMBER, numbers)


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
