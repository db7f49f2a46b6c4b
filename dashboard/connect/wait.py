"""The wait for CallKaro's first report: looks into the inbox, which any process may fill, and says what it finds."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard.callkaro.report import EVENT
from dashboard.connect.paste import webhook_address
from dashboard.connect.running import RunningServer, Seen
from dashboard.database import Database, is_away
from dashboard.render import local_time, minutes
from dashboard.settings import Settings
from dashboard.store.deliveries import Delivery, deliveries_after
from dashboard.store.inbox import IGNORED, UNREADABLE

_LOOK_SECONDS = 0.25
_ASK_SECONDS = 2.0
# The longest name of an event or a campaign that is printed.
_LONGEST = 60


class Teller:
    """Says the same thing once a minute at most: a campaign sends the same mistake several times a second."""

    _SECONDS = 60.0

    def __init__(self) -> None:
        self._silent_until: dict[str, float] = {}

    def __call__(self, words: str) -> None:
        now = time.monotonic()
        if now >= self._silent_until.get(words, now):
            self._silent_until[words] = now + self._SECONDS
            print(words, flush=True)


def wait_for_report(
    database: Database, settings: Settings, server: RunningServer, tell: Teller, after: int, seconds: float | None
) -> bool:
    """Whether a call that is not made up was reported with a number above `after`, within so many seconds.

    Raises KeyboardInterrupt, between two looks.
    """
    with _CtrlC() as ctrl_c:
        print("\nWaiting for the first report from CallKaro. Ctrl-C ends the waiting.\n", flush=True)
        return _wait(database, settings, server, tell, after, seconds, ctrl_c)


class _CtrlC:
    """Ctrl-C is heard between two looks: in the middle of one a library may swallow it, and the waiting went on."""

    # Not a threading.Event: whoever waits for one holds its lock for a moment, and a handler that sets it in that very
    # moment, in the same thread, waits for that lock for ever.
    heard = False

    def __enter__(self) -> _CtrlC:
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, *_: object) -> None:
        self.heard = True


def _wait(
    database: Database,
    settings: Settings,
    server: RunningServer,
    tell: Teller,
    after: int,
    seconds: float | None,
    ctrl_c: _CtrlC,
) -> bool:
    until = time.monotonic() + (float("inf") if seconds is None else seconds)
    seen, ask_at = server.look(), time.monotonic() + _ASK_SECONDS
    while True:
        for delivery in _deliveries(database, after, tell):
            after = delivery.id
            tell(in_words(delivery, settings))
            if delivery.call_id is not None and not delivery.is_simulated:
                return True
        now = time.monotonic()
        if now >= ask_at:
            before, seen = seen, server.look()
            ask_at = now + _ASK_SECONDS
            _tell_of_server(server, before, seen, tell)
        if now >= until:
            return False
        time.sleep(min(_LOOK_SECONDS, until - now))
        if ctrl_c.heard:
            raise KeyboardInterrupt


def in_words(delivery: Delivery, settings: Settings) -> str:
    """What came, without a name or a number, and what to do where it is no report of CallKaro's."""
    if delivery.verdict == UNREADABLE:
        return (
            f"A report arrived that cannot be read; its bytes are stored. {delivery.problem}\n"
            "The address and the secret are right. If it was sent by hand, mend its body, which must be JSON like "
            f'{{"event": "{EVENT}", "data": {{…}}}}. If CallKaro sent it, make a test call there. Still waiting.'
        )
    if delivery.verdict == IGNORED:
        return (
            f"An event `{_printable(delivery.event)}` arrived and was stored; it is no call. "
            f"In CallKaro choose `{EVENT}` for this webhook. Still waiting."
        )
    if delivery.is_simulated:
        return "A made-up call arrived and was stored: the board takes reports. Still waiting for one from CallKaro."
    at = "at a time that was not given"
    if delivery.started_at is not None:
        at = "at " + local_time(delivery.started_at, timezone=settings.timezone, form="%-d %b %Y, %H:%M:%S")
        at += f" ({settings.timezone.key})"
    length = "of unknown length" if delivery.duration_seconds is None else f"of {minutes(delivery.duration_seconds)}"
    campaign = f"campaign {_printable(delivery.campaign)}" if delivery.campaign else "no campaign"
    return f"Connected: a call {length}, {campaign}, {at}."


def what_to_check(settings: Settings, url: str, seconds: float) -> str:
    address, target = webhook_address(url), settings.webhook_bind or settings.bind
    return f"""
No report came from CallKaro within {seconds:g} s. What to check:
- A call: CallKaro reports one when it has ended. A test call from an agent's page is the quickest.
- The address in CallKaro: exactly the line above, no blank before or behind it.
- https: open {address} in a browser outside, such as a phone's.
  It must say "This address takes POST only." If it says anything else, or nothing, the way to this machine is broken:
  the name (DNS), the certificate, the firewall (port 443), or the tunnel or proxy, which must lead to {target}.
- The secret: when it is missing or wrong, the server's log says so.
- The server: it must run, with the same settings and database as this command.
Reports are stored whether this waits or not. Run it again to go on waiting."""


def _deliveries(database: Database, after: int, tell: Teller) -> Sequence[Delivery]:
    try:
        return database.read_now(partial(deliveries_after, number=after))
    except SQLAlchemyError as problem:
        if not is_away(problem):
            raise
        tell("The database does not answer. Still waiting for it, and for the first report.")
        return []


def _tell_of_server(server: RunningServer, before: Seen, seen: Seen, tell: Teller) -> None:
    if seen.state != before.state:
        tell(server.in_words(seen))
    if seen.refused_at > before.refused_at:
        tell(f"{seen.refusal} In CallKaro, paste the address (or the header) anew, as it stands above. Still waiting.")


def _printable(text: str) -> str:
    """A stranger's text, fit for a terminal: its control characters could move the cursor or change the colours."""
    return "".join(character if character.isprintable() else "�" for character in text[:_LONGEST])
