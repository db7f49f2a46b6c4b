"""What people should know beside the calls: a report that made no call, silence, a clock in doubt.

Pure: facts in, sentences out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dashboard.callkaro.undocumented import KINDS, is_documented
from dashboard.hours import CallingHours
from dashboard.masking import Mask
from dashboard.program import PROGRAM

# A report that could not be read is told of for so long; its bytes are kept for good.
TROUBLE_MINUTES = 60
# Kinds that tell of single reports, whosever they are: not for those who are limited to campaigns.
OF_REPORTS = ("trouble", "arrived", "newcomer")
NEWCOMER_HOURS = 24
_MOST_NAMED = 3
# A word that nobody knows yet may be a number of any country, and is no date: each run of digits in it is masked.
_mask = Mask(everything=True)
_LONGEST_VALUE = 60
_NEWCOMERS_HREF = "/inbox#undocumented"
# A target that reports are handed on to is told of once it has failed for so long: it may be restarting.
FORWARD_MINUTES = 10


class Notice(NamedTuple):
    """A sentence, and what kind it is: waiting, arrived, trouble, newcomer, silence, clock, forward, disk.

    `href` is where in the inbox to look, or "". `for_others` is what those read who are no admins, where that is less.
    """

    kind: str
    words: str
    href: str = ""
    for_others: str = ""

    def without_details(self) -> Notice:
        """As those read it who are no admins."""
        return self._replace(words=self.for_others or self.words)


class Newcomer(NamedTuple):
    """A word that the platform's documentation does not have, and when it first came (microseconds since 1970, UTC)."""

    kind: str
    value: str
    first_seen_at: int


class Trouble(NamedTuple):
    """The newest report that made no call. `event` is the unknown event, or "" for a body that could not be read."""

    received_at: int
    problem: str
    event: str


class Refusal(NamedTuple):
    """A report that was turned away: when (microseconds since 1970, UTC), and a sentence that says what was wrong."""

    at: int
    problem: str
    for_others: str = ""
    """The sentence for those who are no admins, where it is another one."""


class Target(NamedTuple):
    """A place that reports are handed on to: since when it fails (microseconds), if so; its last answer; how many
    reports were set aside for it."""

    name: str
    failing_since: int | None
    answer: str
    aside: int


def connection(trouble: Trouble | None, last_at: int | None, refusal: Refusal | None, now: datetime) -> Notice:
    """Before the first real call: how far the connection with the platform has come. `now` is in the board's zone."""
    if refusal is not None and refusal.at > (last_at or 0):
        return _refused(refusal, _zone(now))
    if trouble is not None and trouble.received_at == last_at:
        return _trouble(trouble, _zone(now))
    if last_at is not None:
        words = f"A report arrived at {_clock(last_at, _zone(now))}: this board takes in what reaches it."
        return Notice("arrived", f"{words} Waiting for the first real call.")
    return Notice("waiting", "Waiting for the first report from CallKaro.")


def refused(refusal: Refusal | None, now: datetime) -> Notice | None:
    """A report with a wrong secret, or none, for an hour: the platform sends it no second time."""
    if refusal is None or now - _moment(refusal.at, _zone(now)) > timedelta(minutes=TROUBLE_MINUTES):
        return None
    return _refused(refusal, _zone(now))


def _refused(refusal: Refusal, zone: ZoneInfo) -> Notice:
    after = f"That was at {_clock(refusal.at, zone)}; nothing of it was stored."
    after = f"{after} What to paste into CallKaro: {PROGRAM} connect"
    for_others = f"{refusal.for_others} {after}" if refusal.for_others else ""
    return Notice("trouble", f"{refusal.problem} {after}", for_others=for_others)


def trouble(trouble: Trouble | None, now: datetime) -> Notice | None:
    """A body that could not be read, for an hour. Other events are no trouble: the platform has more than calls."""
    if trouble is None or trouble.event:
        return None
    if now - _moment(trouble.received_at, _zone(now)) > timedelta(minutes=TROUBLE_MINUTES):
        return None
    return _trouble(trouble, _zone(now))


def newcomers(found: Sequence[Newcomer], now: datetime) -> Notice | None:
    """What the platform never said before, for a day: whoever reads its figures should hear of it first."""
    zone = _zone(now)
    known = [
        each
        for each in found
        if now - _moment(each.first_seen_at, zone) <= timedelta(hours=NEWCOMER_HOURS)
        and not is_documented(each.kind, each.value)
    ]
    if not known:
        return None
    if len(known) == 1:
        (only,) = known
        what = ("an " if only.kind == "event" else "a ") + KINDS[only.kind].lower()
        when = _day_and_clock(only.first_seen_at, now)
        words = f"CallKaro sent {what} that its documentation does not have: {_short(only.value)}, first seen {when}."
        return Notice("newcomer", words, _NEWCOMERS_HREF)
    named = [
        f"{KINDS[each.kind].lower()} {_short(each.value)} ({_day_and_clock(each.first_seen_at, now)})"
        for each in known[:_MOST_NAMED]
    ]
    more = len(known) - len(named)
    words = ", ".join(named) + (f", and {more} more" if more else "")
    return Notice("newcomer", f"CallKaro sent what its documentation does not have: {words}.", _NEWCOMERS_HREF)


def _short(value: str) -> str:
    # Drawn once for everybody, also for those who see no numbers.
    value = _mask(value)
    return value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"


def _day_and_clock(at: int, now: datetime) -> str:
    moment = _moment(at, _zone(now))
    return f"{'today' if moment.date() == now.date() else 'yesterday'} {moment:%H:%M}"


def silence(hours: CallingHours | None, last_at: int | None, now: datetime) -> Notice | None:
    """Nothing has come for too long, in calling hours: the failure that nobody sees."""
    if hours is None or last_at is None:
        return None
    since = hours.silent_since(_moment(last_at, _zone(now)), now)
    if since is None:
        return None
    minutes = int((now.timestamp() - since.timestamp()) // 60)
    last = _moment(last_at, _zone(now))
    day = "" if last.date() == now.date() else f" on {last:%-d %b}"
    return Notice(
        "silence",
        f"Nothing received for {minutes} minutes, in calling hours; the last report came at {last:%H:%M}{day}. "
        "If calls are running, check the webhook in CallKaro.",
    )


def _trouble(trouble: Trouble, zone: ZoneInfo) -> Notice:
    verdict = "ignored" if trouble.event else "unreadable"
    return Notice("trouble", _trouble_words(trouble, zone), f"/inbox?verdict={verdict}")


def forwarding(target: Target, now: datetime) -> Notice | None:
    """Reports that do not reach a place that waits for them: other people work with it, and see nothing of this."""
    minutes = 0
    if target.failing_since is not None:
        minutes = int((now.timestamp() - target.failing_since / 1_000_000) // 60)
    said = []
    if minutes >= FORWARD_MINUTES:
        since = f"{minutes} minutes" if minutes < 180 else f"{minutes // 60} hours"
        said.append(
            f"{target.name} has taken no report for {since}: {target.answer} Reports wait for it and are sent by "
            "themselves once it takes them."
        )
    if target.aside:
        count = "1 report was" if target.aside == 1 else f"{target.aside} reports were"
        said.append(f"{count} set aside that {target.name} did not take.")
    return Notice("forward", " ".join(said), "/forward") if said else None


def short_of_room(free: int, *, refuses: bool, keeps: bool) -> Notice | None:
    """A disk that runs full: whether reports are refused, whether recordings are still kept. `free` in bytes."""
    left = f"{free // 2**20:,} MiB left"
    if refuses:
        return Notice(
            "disk",
            f"The disk is nearly full ({left}), so reports are refused. Free some space on the server: they are taken "
            "in again by themselves, but those that are refused now may never be sent again.",
        )
    if not keeps:
        return Notice(
            "disk",
            f"The disk runs low ({left}): recordings are not fetched for now, so that there is room for reports. "
            "Free some space on the server, and they come in by themselves.",
        )
    return None


def _trouble_words(trouble: Trouble, zone: ZoneInfo) -> str:
    when = _clock(trouble.received_at, zone)
    if trouble.event:
        return (
            f"An event {_short(trouble.event)!r} arrived at {when} and is kept; it tells of no call. "
            "In CallKaro, choose call_ended for this webhook."
        )
    return f"A report came at {when} and could not be read: {trouble.problem} Its bytes are kept."


def _clock(at: int, zone: ZoneInfo) -> str:
    return f"{_moment(at, zone):%H:%M:%S}"


def _moment(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, zone)


def _zone(now: datetime) -> ZoneInfo:
    assert isinstance(now.tzinfo, ZoneInfo), "the board's clock bears the board's zone"
    return now.tzinfo
