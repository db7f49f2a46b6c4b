"""The tailer: takes changed calls from the table into the index and the ring, and says that there is news.

Knows no page; whoever serves pages hears of news through `on_news`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard import notices
from dashboard.callkaro.vocabulary import INBOUND_TYPE
from dashboard.calls import Facts
from dashboard.database import Database, kind_of
from dashboard.database.clock import epoch_of, go_on_after, head_of
from dashboard.figures import Usual
from dashboard.filters import CallFilter, Days
from dashboard.hours import CallingHours
from dashboard.index import Index
from dashboard.masked_names import MaskedNames
from dashboard.notices import NEWCOMER_HOURS, Newcomer, Notice, Trouble
from dashboard.person_column import fill_former_numbers, fill_person_column
from dashboard.phone_numbers import DEFAULT_REGION
from dashboard.prometheus import Histogram
from dashboard.render import Renderer
from dashboard.ring import Frame, Ring
from dashboard.store.calls import CallRow, facts_after
from dashboard.store.inbox import heard_since
from dashboard.store.news import Gone, news_since
from dashboard.store.undocumented import newcomers_since
from dashboard.zones import ZoneDoubt

log = logging.getLogger(__name__)

_CHUNK = 1000
# How many numbers back a new process looks for reports that made no call.
_LOOK_BACK = 1000
_MOST_NEWCOMERS = 20
_MANY_CALLS = 100
# Filters whose usual figures are remembered: each of a viewer's addresses may be another one.
_MOST_USUAL = 1_000
# Under a burst, waiting rows leave together; the first of a burst leaves at once.
PAUSE_SECONDS = 0.05
FIGURES_PAUSE_SECONDS = 0.25
BEAT_SECONDS = 10.0
TRY_AGAIN_SECONDS = 0.5
# A page that is a call short is better than one that does not come: its stream brings the call.
REACH_SECONDS = 0.2

_COUNTED = CallFilter(figure=("calls",))
_Heard = tuple[int | None, Trouble | None, list[Newcomer]]


def _news_since(session: Session, seq: int, now: datetime) -> tuple[tuple[list[CallRow | Gone], int], _Heard, str]:
    """What changed after a number, what was heard since, and in which epoch: of one moment, in one transaction."""
    return news_since(session, seq, _CHUNK), _heard_since(session, seq, seq, now), epoch_of(session)


def _heard_since(session: Session, seq: int, newcomers_after: int, now: datetime) -> _Heard:
    since = int((now.timestamp() - NEWCOMER_HOURS * 3600) * 1_000_000)
    return *heard_since(session, seq), newcomers_since(session, newcomers_after, since, _MOST_NEWCOMERS)


class Feed:
    """What one process knows of the calls: the index, the ring of changes, and the number up to which it has them."""

    def __init__(
        self,
        database: Database,
        draw: Renderer,
        now: Callable[[], datetime],
        *,
        source_zone: str,
        calling_hours: CallingHours | None = None,
        region: str = DEFAULT_REGION,
    ) -> None:
        self._region = region
        self._database = database
        self._draw = draw
        self._now = now
        self._source_zone = source_zone
        self._calling_hours = calling_hours
        self.index = Index(draw.timezone)
        self.head = 0
        self.epoch = ""
        self.ready = asyncio.Event()
        self.ring = Ring()
        self.closing = False
        self.on_news: Callable[[], None] = lambda: None
        self.refusals: Callable[[], Sequence[notices.Refusal]] = tuple
        """The door tells of the last report that was turned away for each reason."""
        self.targets: Callable[[], Sequence[notices.Target]] = tuple
        """Whoever hands reports on tells how the targets stand."""
        self.missed: Callable[[Days], int] = lambda _: 0
        """Whoever keeps the watch tells for how many seconds of some days nobody listened."""
        self.room: Callable[[], Notice | None] = lambda: None
        """Whoever writes to the disk tells when it runs full."""
        self.lag = Histogram(1, 5, 15, 60, 300, 1800, 7200, 86400)
        """Seconds from the end of each new call to its report, of all that this process has seen come."""
        self.moved = asyncio.Event()
        """Set, and replaced by a new one, with every piece of news."""
        self.today = self.now.date()
        """The day of the last piece of news: pages, figures and streams turn it together."""
        self.beats = 0
        self.figures_version = 0
        """Goes up when figures may be drawn anew: they move less often than rows, and "usual" with every minute."""
        self.notices = self.notices_of_others = self.notices_within = self.silence = ""
        """For admins, for other roles, for accounts that are limited to campaigns, for the wall."""
        self.masked_names = MaskedNames(region)
        self._zone_doubt = ZoneDoubt()
        self._usual: dict[CallFilter, Usual | None] = {}
        self._usual_at: datetime | None = None
        self._last_report_at: int | None = None
        self._trouble: Trouble | None = None
        self._newcomers: list[Newcomer] = []
        self._figures_at = 0.0
        self._figures_timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> datetime:
        """The board's clock, in the board's zone."""
        return self._now().astimezone(self._draw.timezone)

    @property
    def is_new(self) -> bool:
        """Whether no real call has come yet: test calls are not counted."""
        return not self.index.count(_COUNTED, self.today)

    @property
    def zone_doubt(self) -> str:
        """What speaks against the zone in which the platform's times are read; "" when nothing does."""
        return self._zone_doubt.sentence(self._source_zone)

    def close(self) -> None:
        """End every stream; each page comes back by itself with its cursor."""
        self.closing = True
        self._announce()

    async def run(self) -> None:
        """Load the index, then follow the table until cancelled. A database that is away is waited for."""
        while not (self.ready.is_set() or self.closing):
            try:
                await self._load()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the index waits for the database: %s", kind_of(problem))
                await asyncio.sleep(TRY_AGAIN_SECONDS)
        self._beat()
        while not self.closing:
            started = time.monotonic()
            try:
                await self._database.next_change()
                started = time.monotonic()
                await self.look()
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the feed waits for the database: %s", kind_of(problem))
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            except Exception:
                # Whatever it is, the next look may go well; a feed that has ended leaves every page stale.
                log.exception("the feed stumbled")
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            await asyncio.sleep(max(0.0, PAUSE_SECONDS - (time.monotonic() - started)))

    async def look(self) -> None:
        """Take in everything the table has beyond the head."""
        while True:
            (rows, head), heard, epoch = await self._database.read(partial(_news_since, seq=self.head, now=self.now))
            if epoch != self.epoch or head < self.head:
                await self._begin_again(epoch)
                return
            if head > self.head:
                if any(isinstance(row, Gone) for row in rows):
                    # What was erased may have stood in a notice, too.
                    again = partial(_heard_since, seq=self.head, newcomers_after=0, now=self.now)
                    self._newcomers, heard = [], await self._database.read(again)
                self._hear(*heard)
                await self._learn_names([row.facts for row in rows if row.facts])
                self._take_in(rows, head)
                self._announce()
            if len(rows) < _CHUNK:
                return

    async def reach(self, seq: int, at_most: float | None = None) -> None:
        """Wait a moment for the index to have all up to `seq`, so that after a 200 the next page shows the call."""
        try:
            async with asyncio.timeout(REACH_SECONDS if at_most is None else at_most):
                while self.head < seq and not self.closing:
                    await self.moved.wait()
        except TimeoutError:
            pass

    def strip(self, wanted: CallFilter) -> str:
        """The strip of figures for a filter, as page and stream show it."""
        today = self.today
        # The strip leaves the choice of a figure aside: choosing one lists its calls, and all keep their meaning.
        overview = wanted.with_values("figure", ())
        return self._draw.figures(
            self.index.figures(overview, today),
            wanted,
            listed=self.index.count(wanted, today),
            hours=self.index.hours(overview, today),
            usual=self.usual(overview),
            is_inbound=self.is_inbound(overview),
            missed=self.missed(wanted.days(today)),
        )

    def is_inbound(self, wanted: CallFilter) -> bool:
        """Whether the filter lists inbound calls alone."""
        if wanted.type and INBOUND_TYPE not in wanted.type:
            return False
        inbound = self.index.count(wanted.with_values("type", (INBOUND_TYPE,)), self.today)
        return 0 < inbound == self.index.count(wanted, self.today)

    @property
    def _minute(self) -> datetime:
        return self.now.replace(second=0, microsecond=0)

    def usual(self, wanted: CallFilter) -> Usual | None:
        """For a view of today: what the same weekday had come to by this minute; the same for a whole minute."""
        if wanted.period != "today":
            return None
        minute = self._minute
        if minute != self._usual_at or len(self._usual) >= _MOST_USUAL:
            self._usual_at, self._usual = minute, {}
        if wanted not in self._usual:
            self._usual[wanted] = self.index.usual(wanted, minute)
        return self._usual[wanted]

    def redraw_figures(self) -> None:
        """What the strips say has changed, though no call has."""
        self._announce()

    def outside(self, wanted: CallFilter) -> str:
        """How many calls there are in the view and in all, for the line about calls outside it."""
        return self._draw.outside(listed=self.index.count(wanted, self.today), everything=self.everything(wanted))

    def everything(self, wanted: CallFilter) -> int:
        """How many calls there are in all for whoever asks."""
        return self.index.count(CallFilter(scope=wanted.scope), self.today)

    def notices_for(self, wanted: CallFilter, *, is_masked: bool) -> str:
        return self.notices_within if wanted.scope else self.notices_of_others if is_masked else self.notices

    async def _begin_again(self, epoch: str) -> None:
        """The database is another one than this process knows: restored, or without its last commits after a failover.

        What those commits brought is in the index and on pages, and their numbers would be given out a second time.
        """
        log.warning("the database is not the one that was read before: its calls are read again, and pages load again")
        if epoch == self.epoch:
            await self._database.write(partial(go_on_after, seen=self.head))
        await self._load()
        self._announce()

    async def _load(self) -> None:
        await fill_person_column(self._database, self._region)
        await fill_former_numbers(self._database)
        epoch, head = await self._database.read(epoch_of), await self._database.read(head_of)
        last_id, index, names = 0, Index(self._draw.timezone), MaskedNames(self._region)
        while facts := await self._database.read(partial(facts_after, last_id=last_id)):
            index.load(facts)
            await asyncio.to_thread(names.learn, facts)
            last_id = facts[-1].id
        # All at once: until here, pages are served with what was known before.
        self.index, self.epoch, self.head, self.ring, self._newcomers = index, epoch, head, Ring(), []
        self.masked_names = names
        self.ring.start = head
        back = max(0, head - _LOOK_BACK)
        self._hear(*await self._database.read(partial(_heard_since, seq=back, newcomers_after=0, now=self.now)))
        # What changed while the chunks were read comes in the ordinary way.
        await self.look()
        self._refresh_notices()
        self.ready.set()

    def _hear(self, last_report_at: int | None, trouble: Trouble | None, newcomers: list[Newcomer]) -> None:
        self._last_report_at = last_report_at
        self._trouble = trouble or self._trouble
        known = {each[:2] for each in newcomers}
        rest = [each for each in self._newcomers if each[:2] not in known]
        self._newcomers = (newcomers + rest)[:_MOST_NEWCOMERS]

    def _take_in(self, rows: list[CallRow | Gone], head: int) -> None:
        frames = [Frame(row, row.facts, self._draw, self._campaigns_of(row.id)) for row in rows]
        changed = [frame.facts for frame in frames if frame.facts]
        self.index.load(changed)
        for row in rows:
            if isinstance(row, Gone):
                self.index.remove(row.id)
            elif row.seq == row.created_seq:
                ended_at = row.at + (row.duration_seconds or 0) * 1_000_000
                self._zone_doubt.hear(ended_at=ended_at, received_at=row.received_at)
                self.lag.observe((row.received_at - ended_at) / 1_000_000)
        self.ring.extend(frames)
        self.head = head

    async def _learn_names(self, calls: Sequence[Facts]) -> None:
        """In a thread where there may be many new ones: an import can bring a thousand at once."""
        if len(calls) > _MANY_CALLS:
            await asyncio.to_thread(self.masked_names.learn, calls)
        else:
            self.masked_names.learn(calls)

    def _campaigns_of(self, call_id: int) -> frozenset[str | None]:
        return frozenset({self.index.facts(call_id).campaign if call_id in self.index else None})

    def _announce(self) -> None:
        wait = FIGURES_PAUSE_SECONDS - (time.monotonic() - self._figures_at)
        if wait <= 0:
            self._refresh_figures()
        elif self._figures_timer is None:
            self._figures_timer = asyncio.get_running_loop().call_later(wait, self._announce_figures)
        self._wake()

    def _announce_figures(self) -> None:
        self._figures_timer = None
        self._refresh_figures()
        self._wake()

    def _refresh_notices(self) -> None:
        try:
            found = self._notices()
            notices_now = self._draw.notices(found)
        except Exception:
            # A notice that cannot be drawn must hold back neither calls nor heartbeats.
            log.exception("the notices cannot be drawn")
            return
        if notices_now == self.notices:
            return
        self.notices = notices_now
        self.silence = self._draw.notices([notice for notice in found if notice.kind == "silence"])
        within = self._draw.notices([notice for notice in found if notice.kind not in notices.OF_REPORTS])
        # The very same text stays the same: streams send what is another one.
        self.notices_within = within if within != self.notices_within else self.notices_within
        others = self._draw.notices([notice.without_details() for notice in found])
        self.notices_of_others = others if others != self.notices_of_others else self.notices_of_others

    def _notices(self) -> list[Notice]:
        now, room = self.now, self.room()
        if self.is_new:
            last = next(iter(self.refusals()), None)
            found_new = room, notices.connection(self._trouble, self._last_report_at, last, now)
            return [notice for notice in found_new if notice]
        doubt = self.zone_doubt
        found = (
            room,
            *(notices.refused(refusal, now) for refusal in self.refusals()),
            notices.trouble(self._trouble, now),
            notices.newcomers(self._newcomers, now),
            notices.silence(self._calling_hours, self._last_report_at, now),
            Notice("clock", doubt) if doubt else None,
            *(notices.forwarding(target, now) for target in self.targets()),
        )
        return [notice for notice in found if notice]

    def _refresh_figures(self) -> None:
        self.figures_version += 1
        self._refresh_notices()
        self._figures_at = time.monotonic()

    def _beat(self) -> None:
        """Every page hears from us now and then, and the day turns, though no call comes in."""
        if not self.closing:
            # First of all: a page that cannot be drawn must not end the heartbeat of all others.
            asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)
        self.beats += 1
        self._refresh_notices()
        if self._usual and self._usual_at != self._minute:
            self.figures_version += 1
        self._wake()

    def _wake(self) -> None:
        self.today = self.now.date()
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()
        self.on_news()
