"""Data in, HTML out. Knows no SQL, no request and no viewer: what it draws, it draws for everybody.

Its own Jinja environment, because the feed draws outside any request, where Quart's refuses to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic_core import to_json

from dashboard.callkaro.vocabulary import is_inbound, reason_in_words, try_in_words, type_in_words
from dashboard.calls import beginning
from dashboard.figures import STAGES, Figures, Usual, is_test, stage_of
from dashboard.filters import NONE, CallFilter
from dashboard.gaps import length_words
from dashboard.links import host_of, safe_url
from dashboard.masking import Mask, masked
from dashboard.measures import lag, size
from dashboard.notices import Notice
from dashboard.phone_numbers import DEFAULT_REGION, display
from dashboard.store.calls import CallRow
from dashboard.store.inbox_list import InboxRow

_ROWS_REMEMBERED = 2_000
# What of a row is a number and nothing else.
_NUMBERS = ("customer_number", "from_number", "to_number")
_LONGEST_INDENTED = 20_000
LONGEST_SHOWN = 50_000
"""Characters of one value on a page."""


class Renderer:
    """Draws pages and partials for one board: its zone, its way of grouping digits, its static files."""

    def __init__(
        self,
        templates: Path,
        *,
        timezone: ZoneInfo,
        indian_grouping: bool,
        static_version: str,
        region: str = DEFAULT_REGION,
    ) -> None:
        self.timezone = timezone
        self.region = region
        self.phone = partial(display, region=region)
        self.static_version = static_version
        self._environment = Environment(
            loader=FileSystemLoader(templates),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._environment.filters |= {
            "number": partial(group_digits, indian=indian_grouping),
            "percent": percent,
            "mean": lambda mean: group_digits(round(mean), indian=indian_grouping),
            "minutes": minutes,
            "lag": lag,
            "size": size,
            "utc": utc,
            "clock": partial(local_time, timezone=timezone, form="%H:%M:%S"),
            "day": partial(local_time, timezone=timezone, form="%-d %b %Y"),
            "day_of_month": partial(local_time, timezone=timezone, form="%-d %b"),
            "reason": reason_in_words,
            "tries": try_in_words,
            "phone": self.phone,
            "span": length_words,
            "safe_url": safe_url,
            "host": host_of,
            "short_id": short_id,
            "json_text": json_text,
            "value_words": value_words,
            "masked": masked,
            "days_words": days_words,
            "hour_minute": partial(local_time, timezone=timezone, form="%H:%M"),
            "pairs": lambda wanted: parse_qsl(wanted.query()),
            "stage_of": lambda row: stage_of(row.facts),
        }
        self._environment.globals |= {
            "static": lambda name: f"/static/{name}?v={static_version}",
            "STAGES": STAGES,
            "is_test": is_test,
            "zone_name": timezone.key,
            # What `viewer` tells of whoever looks; a page that does not ask draws nothing that only some may see.
            "may_manage": False,
        }
        self._row = self._environment.get_template("_call_row.html")
        self._figures = self._environment.get_template("_figures.html")

    def page(self, name: str, /, **context: Any) -> str:
        return self._environment.get_template(name).render(**context)

    def markup(self, html: str) -> Markup:
        """A partial that this renderer drew, fit to be set into a page as it is."""
        return Markup(html)  # noqa: S704

    def call_row(self, row: CallRow) -> str:
        """One call as a row of the list, wherever the list stands."""
        return self._row.render(
            call=row,
            stage=stage_of(row.facts),
            key=row_key(row.at, row.id),
            is_inbound=is_inbound(row.type, row.try_count),
        )

    def show_call(self, row: CallRow) -> str:
        """Puts the row where it belongs, in place of an older one if the page has it."""
        # The attributes are hx-upsert's: order by `data-key`, newest first.
        return f'<hx-upsert hx-target="#calls" key="data-key" sort="desc">{self.call_row(row)}</hx-upsert>'

    def drop_call(self, call_id: int, *, for_good: bool = False) -> str:
        """Takes the row off a page that has it, shown or waiting to be shown; `list.js` reads the mark."""
        mark = 'data-gone="for-good"' if for_good else "data-gone"
        return f'<hx-upsert hx-target="#calls"><tr id="call-{call_id}" {mark}></tr></hx-upsert>'

    def show_reports(self, rows: Sequence[InboxRow]) -> str:
        """Puts rows of the inbox where they belong in its list: the newest at the top."""
        drawn = "".join(self.page("_inbox_row.html", row=row) for row in rows)
        return f'<hx-upsert hx-target="#reports" key="data-key" sort="desc">{drawn}</hx-upsert>'

    def replacing(self, target: str, html: str) -> str:
        """Changes a part of the page to what it is now; morphed, so that focus and pointer stay where they are."""
        return f'<hx-partial hx-target="{target}" hx-swap="outerMorph">{html}</hx-partial>'

    def figures(
        self,
        figures: Figures,
        wanted: CallFilter,
        *,
        listed: int,
        hours: Sequence[int],
        usual: Usual | None,
        missed: int = 0,
    ) -> str:
        """`hours` are the calls of each hour of the day; `usual` is there for a view of today alone.

        `missed` is for how many seconds of the view's days nobody listened.
        """
        return self._figures.render(
            figures=figures._asdict(),
            wanted=wanted,
            listed=listed,
            hours=hours,
            usual=usual and usual._asdict(),
            missed=missed,
            link=partial(link, wanted),
        )

    def wall(
        self,
        figures: Figures,
        wanted: CallFilter,
        rows: Sequence[CallRow],
        *,
        scope: Sequence[str],
        notices: str,
        usual: Usual | None,
        missed: int = 0,
    ) -> str:
        """Nobody sees numbers on a wall. `scope` are the campaigns that it is limited to, as they may be shown."""
        masked_rows = [masked_row(row, self.region) for row in rows]
        return self.page(
            "_wall.html",
            figures=figures,
            wanted=wanted,
            rows=masked_rows,
            scope=scope,
            notices=self.markup(notices),
            usual=usual,
            missed=missed,
        )

    def notices(self, notices: Sequence[Notice]) -> str:
        return self.page("_notices.html", notices=notices)

    def outside(self, *, listed: int, everything: int) -> str:
        return self.page("_outside.html", listed=listed, everything=everything)


def mask_of(row: CallRow, region: str = DEFAULT_REGION) -> Mask:
    """What masks the numbers of a call in its other texts."""
    return Mask(row.numbers, region=region)


@lru_cache(_ROWS_REMEMBERED)
def masked_row(row: CallRow, region: str = DEFAULT_REGION) -> CallRow:
    """A row for a role that may not see numbers; it goes into the same template as every other.

    Remembered: the same rows are drawn for every page, and a wall draws its rows four times a second.
    """
    return masked_by(mask_of(row, region), row)


def masked_by(mask: Mask, row: CallRow) -> CallRow:
    """The row's texts as this mask shows them."""
    texts: dict[str, Any] = {name: mask(value) for name, value in row._asdict().items() if isinstance(value, str)}
    ends = {name: masked(getattr(row, name)) for name in _NUMBERS}
    return row._replace(**texts | ends | {"former_numbers": "", "person": ""})


def link(wanted: CallFilter, choice: str, *values: str) -> str:
    """The board's address with one choice set anew."""
    return board_link(wanted.with_values(choice, values))


def board_link(wanted: CallFilter) -> str:
    """The board's address with a filter."""
    query = wanted.query()
    return f"/?{query}" if query else "/"


def export_link(wanted: CallFilter) -> str:
    """Where the calls of a filter are to be had as a file."""
    query = wanted.query()
    return f"/calls.csv?{query}" if query else "/calls.csv"


def toggle(wanted: CallFilter, choice: str, value: str) -> str:
    """The board's address with one value of a choice added, or taken away if it is there."""
    return link(wanted, choice, *set(wanted.values(choice)).symmetric_difference({value}))


def older_link(wanted: CallFilter, before: tuple[int, int]) -> str:
    key = {"before": row_key(*before)}
    return "/?" + "&".join(part for part in (wanted.query(), urlencode(key)) if part)


def row_key(at: int, call_id: int) -> str:
    """Where a row stands in every list: its time, then its id, both at full width so that text order is the order."""
    return f"{at:017d}-{call_id:010d}"


def read_row_key(text: str) -> tuple[int, int] | None:
    at, _, call_id = text.partition("-")
    if at.isdecimal() and call_id.isdecimal() and len(text) <= 28:
        return int(at), int(call_id)
    return None


def group_digits(number: int, *, indian: bool) -> str:
    """1,28,400 in India, 128,400 elsewhere."""
    digits = str(abs(number))
    head, tail = digits[:-3], digits[-3:]
    size = 2 if indian else 3
    groups = []
    while head:
        head, group = head[:-size], head[-size:]
        groups.append(group)
    return ("-" if number < 0 else "") + ",".join([*reversed(groups), tail])


def percent(part: int, whole: int) -> str:
    """One decimal under ten per cent, none above; a dash when there is nothing to take a part of."""
    if not whole:
        return "–"
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 9.95 or not part else f"{share:.1f} %"


def minutes(seconds: float | None) -> str:
    """1m 48s; a dash for no duration."""
    if seconds is None:
        return "–"
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    if hours:
        return f"{hours}h {rest // 60:02d}m"
    return f"{rest // 60}m {rest % 60:02d}s" if rest >= 60 else f"{rest}s"


def utc(at: int) -> str:
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_time(at: int, *, timezone: ZoneInfo, form: str) -> str:
    return _moment(at).astimezone(timezone).strftime(form)


def days_words(wanted: CallFilter) -> str:
    """The days of a filter, as its menu and the wall name them."""
    words = {"": "All time", "today": "Today", "7d": "Last 7 days", "30d": "Last 30 days"}
    if wanted.from_ or wanted.to:
        return f"{wanted.from_ or 'the first call'} to {wanted.to or 'today'}"
    return words[wanted.period]


def short_id(text: str) -> str:
    """An opaque id, shortened from the middle for a list; its page shows it whole."""
    return text if len(text) <= 14 else f"{text[:6]}…{text[-4:]}"


def value_words(value: str, choice: str) -> str:
    """A filter's value in words: codes by their meaning, opaque ids shortened."""
    if value == NONE:
        return "None"
    match choice:
        case "stage":
            return STAGES.get(value, value)
        case "reason":
            return reason_in_words(value)
        case "type":
            return type_in_words(value)
        case "try":
            return try_in_words(int(value))
        case "duration":
            return f"{value.replace('over-', 'over ').replace('-', '–')} s"
        case _:
            return short_id(value)


def json_text(value: Any) -> str:
    """A value as a person reads it: text as it is, everything else as JSON, long JSON without a line for each value.

    Of a very long one the beginning: a browser draws a megabyte slowly.
    """
    if isinstance(value, str):
        text = value
    else:
        json = to_json(value)
        text = (json if len(json) > _LONGEST_INDENTED else to_json(value, indent=2)).decode()
    shown = beginning(text, LONGEST_SHOWN)
    return shown if shown == text else f"{shown} … ({len(text):,} characters in all; exports and the API have them)"


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at // 1_000_000, UTC)
