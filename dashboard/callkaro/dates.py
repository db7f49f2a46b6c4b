"""Times as people and spreadsheets spell them. Day and month are read where they are certain, never guessed. Pure.

ISO (2025-12-19 16:01:07) is always certain, and so is a date with the month's name (19-Dec-25). 01/10/2026 is certain
only by another time of the same column that is spelled alike and has a part over 12, or by what the operator says.
So is 26-11-05, which may begin or end with its year: one spelled alike whose first part can be no year decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dashboard.callkaro.report import read_time

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
ORDERS = (DAY_FIRST, MONTH_FIRST)
_LONGEST = 64
SECOND, MINUTE, DAY = 1, 60, 86_400
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
FIRST_YEAR = 2015
"""No AI made a call before."""
_MONTH = r"(?P<name>[a-z]{3,9})\.?"
_GAP = r"[\s,.-]{1,3}"
_CLOCK = (
    r"(?:(?:\s*,\s*|\s+|\s*t\s*)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,6})?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?\s*(?P<zone>z|utc|[+-]\d\d:?\d\d)?)?"
)
_YEAR = r"(?P<year>\d{4}|\d\d)"
_SPELLINGS = tuple(
    re.compile(date + _CLOCK)
    for date in (
        rf"(?P<first>\d{{1,2}})(?P<sign>[-/.])(?P<second_part>\d{{1,2}})(?P=sign){_YEAR}",
        r"(?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})",
        rf"(?:[a-z]{{3,9}}\.?,?\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_GAP}{_MONTH}{_GAP}{_YEAR}",
        rf"(?:[a-z]{{3,9}}\.?,?\s+)?{_MONTH}{_GAP}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_GAP}(?P<year>\d{{4}})",
    )
)
_UTC = ZoneInfo("UTC")
_IS_SERIAL = re.compile(r"\d{5}([.,]\d+)?")

NOT_READ = "the time cannot be read; a spelling such as 2025-12-19 16:01:07 can"
SERIAL = "the time is a spreadsheet's serial number of a day; show the column as yyyy-mm-dd hh:mm:ss and save again"
AMBIGUOUS = (
    "the time may have the day first or the month first, and no other row decides; say which with --dates day-first or "
    "--dates month-first"
)
YEAR_AMBIGUOUS = (
    "the time may begin or end with its year, and no other row decides; write the year with four digits, or say that "
    "the time ends with it by --dates day-first or --dates month-first"
)


class _Parts(NamedTuple):
    """A spelled time. Of a date in numbers, `first` and `second` stand as written, and `shape` is how it is spelled."""

    first: int
    second: int
    year: int
    clock: tuple[int, int, int]
    precision: int
    zone: str
    shape: str = ""
    may_begin_with_year: bool = False
    """whether it has a year of two digits, and its first part can be that as well"""

    @property
    def order(self) -> str:
        """Which order its own numbers show; "" where both are possible and differ."""
        if self.first > 12 or self.first == self.second:
            return DAY_FIRST
        return MONTH_FIRST if self.second > 12 else ""

    def written(self, order: str) -> str:
        """As the platform writes times; what is missing of the time of day is 0."""
        day, month = (self.first, self.second) if order == DAY_FIRST else (self.second, self.first)
        hour, minute, second = self.clock
        return f"{self.year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{self.zone}"


class ReadTime(NamedTuple):
    """A time of a file: as the platform would write it, or why it cannot be read.

    `precision` is SECOND, MINUTE where the file has no seconds, DAY where it has no time of day: both read as 0.
    """

    text: str = ""
    problem: str = ""
    precision: int = SECOND


class TimeColumn:
    """The times of one file: first shown all of them, then asked for each."""

    def __init__(self, order: str = "") -> None:
        """`order` is what the operator says of dates that may be either, one of ORDERS; "" says nothing."""
        self._order = order
        self._shown: dict[str, set[str]] = defaultdict(set)
        self._end_with_year: set[str] = set()

    def show(self, text: str) -> None:
        parts = _parts_of(text)
        if parts is not None and parts.shape and parts.first != parts.second and parts.order:
            self._shown[parts.shape].add(parts.order)
        if parts is not None and parts.shape and not parts.may_begin_with_year:
            self._end_with_year.add(parts.shape)

    def read(self, text: str) -> ReadTime:
        parts = _parts_of(text)
        if read_time(text, _UTC):
            return ReadTime(text, precision=parts.precision if parts else SECOND)
        if parts is None:
            return ReadTime(problem=SERIAL if _IS_SERIAL.fullmatch(_plain(text)) else NOT_READ)
        if parts.may_begin_with_year and not self._order and parts.shape not in self._end_with_year:
            return ReadTime(problem=YEAR_AMBIGUOUS)
        order = self._order_of(parts) if parts.shape else DAY_FIRST
        if not order:
            return ReadTime(problem=AMBIGUOUS)
        if parts.shape and parts.order not in ("", order):
            return ReadTime(problem=f"the time is not {order}, as --dates says")
        written = parts.written(order)
        if read_time(written, _UTC) is None:
            return ReadTime(problem=NOT_READ)
        return ReadTime(written, precision=parts.precision)

    def _order_of(self, parts: _Parts) -> str:
        """Which order a date in numbers has; "" where nothing decides."""
        if parts.first == parts.second:
            return DAY_FIRST
        if self._order or parts.order:
            return self._order or parts.order
        anywhere = set().union(*self._shown.values())
        # Spelled otherwise, a time may have been read by the spreadsheet and written in its own order.
        alike = self._shown.get(parts.shape, set())
        return next(iter(alike)) if len(alike) == 1 and len(anywhere) == 1 else ""


def is_same_time(text: str, known: str, precision: int) -> bool:
    """Whether a time is the known one, as far as it says it: a spreadsheet that shows no seconds loses them."""
    one, other = read_time(text, _UTC), read_time(known, _UTC)
    if one is None or other is None:
        return False
    if precision == DAY:
        other = other.replace(hour=0, minute=0)
    if precision != SECOND:
        other = other.replace(second=0)
    return one.replace(microsecond=0) == other.replace(microsecond=0)


def _parts_of(text: str) -> _Parts | None:
    plain = _plain(text)
    if len(plain) > _LONGEST:
        return None
    for spelling in _SPELLINGS:
        if (found := spelling.fullmatch(plain)) and (parts := _read(found.groupdict())):
            return parts
    return None


def _read(found: dict[str, str | None]) -> _Parts | None:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    precision = DAY if found["hour"] is None else MINUTE if found["second"] is None else SECOND
    if half := found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    year = int(found["year"] or 0)
    year += 2000 if year < 100 else 0
    zone = (found["zone"] or "").replace("utc", "Z").replace("z", "Z")
    if "second_part" in found:
        shape = f"{found['sign']} {len(found['year'] or '')} {precision} {bool(half)}"
        first, second_part = int(found["first"] or 0), int(found["second_part"] or 0)
        begins_with_year = (
            len(found["year"] or "") == 2
            and first >= FIRST_YEAR % 100
            and 1 <= second_part <= 12
            and 1 <= year % 100 <= 31
        )
        return _Parts(first, second_part, year, (hour, minute, second), precision, zone, shape, begins_with_year)
    month = int(found.get("month") or 0) or _month(found.get("name") or "")
    return _Parts(int(found["day"] or 0), month, year, (hour, minute, second), precision, zone) if month else None


def _month(name: str) -> int:
    """1 to 12, by a name or the first letters of one; 0 where it is none."""
    return next((number for number, month in enumerate(_MONTHS, 1) if month.startswith(name)), 0)


def _plain(text: str) -> str:
    """With digits of any script as ASCII, blanks as one space, in small letters."""
    normal = unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in normal)
    return " ".join(digits.split()).lower()
