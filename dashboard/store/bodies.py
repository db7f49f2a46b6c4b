"""How the bytes of reports are kept: as they came, packed later, or not any more. One function gives them back.

What a sender packed (`Content-Encoding`) is stored as it came, and every reader gets it unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlmodel import Session

from dashboard.content_encoding import NotUnpacked, TooLarge, encoding_of
from dashboard.content_encoding import unpack as undo_encoding
from dashboard.database.clock import hold_clock
from dashboard.models import Inbox, table_of
from dashboard.store.inbox import insert_rows
from dashboard.store.steps import done_of, set_done

AS_IT_CAME, PACKED, GONE = "", "zlib-1", "gone"
"""`packing` of an inbox row. A duplicate, which keeps no body of its own, has none of the last two."""
PACK = "pack"
# One transaction holds the writer for a few milliseconds with these.
_MOST_ROWS = 100
_MOST_BYTES = 2**20

# Part of "zlib-1" for ever: another dictionary needs another name. Reports are alike, and short; most of what one
# saves by packing is known beforehand. The most frequent stands last, where zlib finds it cheapest.
_DICTIONARY = (
    b'"INBOUND_CALL","VOICEMAIL","NO_ANSWER","USER_BUSY","SESSION_TIMEOUT","PARTICIPANT_REMOVED","CLIENT_INITIATED"'
    b'"https://callkaro.ai/dashboard/call-history?call_id=","recordingUrl": "https://","timestamp": "2025-12-19T15:25:'
    b'00.000Z"}],"functions_called": [{"name": ","success": true,"next_call_scheduled": false, "conversion_status": '
    b'true, "disposition_reason": ", "post_call_detail": {"lead_status": {"value": ", "comment": "Customer "}}, '
    b'"post_call": {"lead_status": "interested"}, "call_metadata": {"name": ", "age": , "city": "}, "try_count": 0, '
    b'"hangup_reason": "CLIENT_INITIATED", "batchId": ", "transcription": "Agent: Namaste, \\nCustomer: \\nAgent: '
    b'\\nUser: \\u0939\\u0948\\u0902 \\u0915\\u0940 \\u0928\\u0939\\u0940\\u0902", "time": "2025-12-19 16:01:07", '
    b'"call_duration": 120, "to": "91", "from": "91", "versionId": ", "agent": ", "name": "outbound", "callSid": "'
    b'{"event": "call_ended", "data": {"callSid": "'
)

_inbox = table_of(Inbox)
_NEXT = (
    select(_inbox.c.id, _inbox.c.received_at, _inbox.c.size)
    .where(_inbox.c.id > bindparam("after"))
    .order_by(_inbox.c.id)
    .limit(_MOST_ROWS)
)
_PLAIN = select(_inbox.c.id, _inbox.c.body).where(
    _inbox.c.id.in_(bindparam("ids", expanding=True)), _inbox.c.body.is_not(None), _inbox.c.packing == AS_IT_CAME
)
_STILL_PLAIN = select(*(column for column in _inbox.c if column.name != "body")).where(
    _inbox.c.id.in_(bindparam("ids", expanding=True)), _inbox.c.body.is_not(None), _inbox.c.packing == AS_IT_CAME
)
_TAKE_OUT = delete(_inbox).where(_inbox.c.id.in_(bindparam("ids", expanding=True)))


class Packed(NamedTuple):
    """What a step of packing has made ready: the bodies that became smaller, and up to which inbox row it goes."""

    bodies: dict[int, bytes]
    """by the inbox row's id"""
    upto: int


class Body(NamedTuple):
    """A report's bytes, to be read."""

    data: bytes
    unpacked_from: str = ""
    """The Content-Encoding that was undone, such as "gzip"."""
    packed_as: str = ""
    """The Content-Encoding that `data` still has: it is unknown, or the bytes are damaged."""


def read_body(row: Inbox) -> Body | None:
    """The unpacked bytes of a report; None for a duplicate, and for one whose bytes are not kept any more.

    Versions before `content_encoding` stored packed reports as unreadable; their first bytes tell how they are packed.
    """
    if row.body is None:
        return None
    came = row.body if row.packing == AS_IT_CAME else unpack(row.body)
    encoding = encoding_of(row.content_encoding, came)
    if not encoding:
        return Body(came)
    try:
        return Body(undo_encoding(came, encoding), unpacked_from=encoding)
    except (NotUnpacked, TooLarge):
        return Body(came, packed_as=row.content_encoding)


def body_of(row: Inbox) -> bytes | None:
    """The unpacked bytes alone."""
    body = read_body(row)
    return None if body is None else body.data


def bytes_of(session: Session, inbox_id: int) -> Body | None:
    """A report's bytes by its number: a duplicate's are those of the one it repeats. None where they are gone."""
    row = session.get(Inbox, inbox_id)
    if row is not None and row.duplicate_of is not None:
        row = session.get(Inbox, row.duplicate_of)
    return None if row is None else read_body(row)


def pack(body: bytes) -> bytes:
    packer = zlib.compressobj(level=9, zdict=_DICTIONARY)
    return packer.compress(body) + packer.flush()


def unpack(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(zdict=_DICTIONARY)
    return unpacker.decompress(packed) + unpacker.flush()


def next_plain(session: Session, before: int) -> tuple[Sequence[tuple[int, bytes]], int] | None:
    """The next few bodies that came before a moment and are kept as they came, and up to which row that is all.

    None where there is no more row to be looked at.
    """
    after = done_of(session, PACK)
    ids: list[int] = []
    size, upto = 0, after
    for row_id, received_at, row_size in session.connection().execute(_NEXT, {"after": after}).all():
        if received_at >= before or (ids and size + row_size > _MOST_BYTES):
            break
        ids.append(row_id)
        size += row_size
        upto = row_id
    if not ids:
        return None
    rows = session.connection().execute(_PLAIN, {"ids": ids})
    return [(row_id, bytes(body)) for row_id, body in rows], upto


def pack_all(plain: Sequence[tuple[int, bytes]], upto: int) -> Packed:
    """Those of these bodies that become smaller and come back whole; for a thread, it needs no database."""
    ready: dict[int, bytes] = {}
    for row_id, body in plain:
        packed = pack(body)
        # The inbox is the truth: not a byte of it is given away on trust.
        if len(packed) < len(body) and unpack(packed) == body:
            ready[row_id] = packed
    return Packed(ready, upto)


def keep_packed(session: Session, ready: Packed) -> None:
    """Put the packed bodies in place of the plain ones; one that was removed meanwhile stays so."""
    # Not a lock on the rows: whoever waits for one to erase it finds it taken out, and passes over the one put back.
    hold_clock(session)
    if ready.bodies:
        _put_back_smaller(session, ready.bodies)
    set_done(session, PACK, ready.upto)


def _put_back_smaller(session: Session, bodies: dict[int, bytes]) -> None:
    """Take these rows out and put them back: rows that only become smaller leave SQLite's pages half empty for good."""
    connection = session.connection()
    rows = [
        {**row, "body": bodies[row["id"]], "packing": PACKED}
        for row in connection.execute(_STILL_PLAIN, {"ids": list(bodies)}).mappings()
    ]
    if rows:
        connection.execute(_TAKE_OUT, {"ids": [row["id"] for row in rows]})
        insert_rows(session, Inbox, rows)
