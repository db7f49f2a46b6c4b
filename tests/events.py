"""A reader of server-sent events after the letter of the standard (WHATWG HTML, 9.2.6), independent of our writer."""

from __future__ import annotations

import re
from typing import NamedTuple


class Event(NamedTuple):
    """What a browser would dispatch; `id` is its last event id at that moment."""

    type: str
    data: str
    id: str


class Read(NamedTuple):
    events: list[Event]
    last_id: str
    """What a browser would send as Last-Event-ID"""


def read_events(stream: bytes) -> Read:
    """Everything a browser would make of these bytes; an event without its blank line is not one yet."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split("\r\n|\n|\r", text)
    events: list[Event] = []
    data, kind, id_buffer, last_id = "", "", "", ""
    for line in lines:
        if line == "":
            last_id = id_buffer
            if data:
                events.append(Event(kind or "message", data.removesuffix("\n"), last_id))
            data, kind = "", ""
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            id_buffer = value
    return Read(events, last_id)
