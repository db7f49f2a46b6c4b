"""The index against plain Python: whatever was put in, changed and taken out, it answers as `matches` and a recount."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dashboard import index as index_module
from dashboard import people as people_module
from dashboard.calls import NOBODY, Facts
from dashboard.figures import DURATIONS, FIGURES, STAGES, Figure, Figures, Usual, figures_of
from dashboard.filters import CHOICES, NONE, PERIODS, CallFilter, local_time, matches, value_of
from dashboard.index import Index

KOLKATA = ZoneInfo("Asia/Kolkata")
KATHMANDU, NEW_YORK, ST_JOHNS = ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/New_York"), ZoneInfo("America/St_Johns")
ZONES = [KOLKATA, KATHMANDU, NEW_YORK, ST_JOHNS, ZoneInfo("Australia/Lord_Howe")]
TODAY = date(2026, 11, 2)
EVERYTHING = CallFilter()


def microseconds(year: int, month: int, day: int, hour: int, minute: int) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def a_call(call_id: int, **changes: object) -> Facts:
    """A connected call of 40 seconds at noon in Kolkata on 2 November 2026."""
    facts = Facts(
        id=call_id,
        at=microseconds(2026, 11, 2, 6, 30),
        campaign="spring",
        agent="asha",
        version="v1",
        type="outbound",
        reason="CLIENT_INITIATED",
        try_count=0,
        duration_seconds=40,
        converted=False,
        person=919_812_345_678,
    )
    return facts._replace(**changes)  # type: ignore[arg-type]


def index_of(*calls: Facts, timezone: ZoneInfo = KOLKATA) -> Index:
    index = Index(timezone)
    for facts in calls:
        index.put(facts)
    return index


# What follows says the same as the index does, one call at a time.


def listed(calls: Iterable[Facts], wanted: CallFilter, today: date, timezone: ZoneInfo) -> list[Facts]:
    found = [facts for facts in calls if matches(facts, wanted, today=today, timezone=timezone)]
    return sorted(found, key=lambda facts: (facts.at, facts.id), reverse=True)


def recounted(calls: Iterable[Facts]) -> Figures:
    parts = [(figures_of(facts), facts) for facts in calls]
    counts = {name: sum(flag in part for part, _ in parts) for name, flag in FIGURES.items() if name != "talk"}
    people = {name: {facts.person for part, facts in parts if FIGURES[name] in part} - {NOBODY} for name in counts}
    return Figures(
        **counts,
        talk=sum(facts.duration_seconds for part, facts in parts if Figure.CONNECTED in part),
        leads=len(people["calls"]),
        reached=len(people["connected"]),
        leads_converted=len(people["converted"]),
    )


def told_by_hour(calls: Iterable[Facts], timezone: ZoneInfo) -> list[int]:
    hours = [local_time(facts.at, timezone).hour for facts in calls if Figure.CALLS in figures_of(facts)]
    return [hours.count(hour) for hour in range(24)]


def usual_told(calls: Collection[Facts], wanted: CallFilter, now: datetime, timezone: ZoneInfo) -> list[float] | None:
    """The same weekday of the last four weeks, call by call, as means and how many they are of."""
    here = now.astimezone(timezone)
    this_minute = here.strftime("%H:%M")
    clocks = [(facts, local_time(facts.at, timezone).strftime("%Y-%m-%d %H:%M")) for facts in calls]
    days = []
    for weeks in (1, 2, 3, 4):
        day = (here.date() - timedelta(days=7 * weeks)).isoformat()
        if any(clock < f"{day} {this_minute}" for _, clock in clocks):
            found = [facts for facts, clock in clocks if f"{day} 00:00" <= clock < f"{day} {this_minute}"]
            days.append(recounted(listed(found, wanted.with_period(""), here.date(), timezone)))
    if len(days) < 2:
        return None
    return [*(sum(figure) / len(days) for figure in zip(*days, strict=True)), len(days)]


def offered(choice: str, calls: list[Facts], chosen: tuple[str, ...]) -> list[tuple[str, int]]:
    if choice == "figure":
        return [(name, sum(flag in figures_of(facts) for facts in calls)) for name, flag in FIGURES.items()]
    counts = Counter(value_of(facts, choice) or NONE for facts in calls)
    if choice in ("stage", "duration"):
        return [(value, counts[value]) for value in (STAGES if choice == "stage" else DURATIONS)]
    values = {*counts, *chosen}
    if choice == "try":
        in_order = sorted(int(value) for value in values - {NONE})
        return [(value, counts[value]) for value in [*map(str, in_order), *(values & {NONE})]]
    return sorted(((value, counts[value]) for value in values), key=lambda pair: (-pair[1], pair[0]))


def paged(index: Index, wanted: CallFilter, today: date, limit: int) -> list[int]:
    """Every id, page by page, as somebody who presses "more" until nothing comes."""
    seen: list[int] = []
    before = None
    while page := index.ids(wanted, today, limit=limit, before=before):
        assert len(page) <= limit
        assert not seen or page[0] != seen[-1], "a page that begins with the last row of the one before would never end"
        seen += page
        before = (index.facts(page[-1]).at, page[-1])
    return seen


# Midnights of the zones above, the days their clocks change, and the ends of the time that is taken as plausible.
_MOMENTS = [
    microseconds(2026, 11, 1, 18, 30),
    microseconds(2026, 11, 1, 18, 15),
    microseconds(2026, 11, 1, 4, 0),
    microseconds(2026, 11, 1, 6, 0),
    microseconds(2026, 11, 2, 5, 0),
    microseconds(2026, 3, 8, 5, 0),
    microseconds(2026, 3, 9, 4, 0),
    microseconds(2026, 10, 4, 0, 0),
    microseconds(2010, 11, 7, 2, 30),
    microseconds(2010, 11, 7, 3, 30),
    microseconds(2000, 1, 1, 0, 0),
    microseconds(2099, 12, 31, 23, 45),
]
_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_ASIDE = [
    0,
    0,
    0,
    1,
    -1,
    999_999,
    1_000_000,
    _MINUTE,
    _MINUTE - 1,
    15 * _MINUTE,
    -15 * _MINUTE,
    30 * _MINUTE,
    _DAY,
    -_DAY,
    -7 * _DAY,
    -14 * _DAY,
    -28 * _DAY + _MINUTE,
]
moments = st.builds(lambda moment, aside: max(moment + aside, 0), st.sampled_from(_MOMENTS), st.sampled_from(_ASIDE))

FACTS: dict[str, st.SearchStrategy[object]] = {
    "at": moments,
    "campaign": st.sampled_from(["", "none", "spring", "autumn"]),
    "agent": st.sampled_from(["", "asha", "ravi"]),
    "version": st.sampled_from(["", "v1"]),
    "type": st.sampled_from(["", "outbound", "inbound", "outbound-test", "agent-test", "of their own"]),
    "reason": st.sampled_from(
        [
            "",
            "CLIENT_INITIATED",
            "SESSION_TIMEOUT",
            "VOICEMAIL_DETECTED",
            "INVALID_PHONE_NUMBER",
            "UNKNOWN",
            "of their own",
        ]
    ),
    "try_count": st.sampled_from([-1, 0, 1, 2, 10, 1_000_000]),
    "duration_seconds": st.sampled_from([0, 1, 10, 11, 30, 31, 60, 61, 3_599, 604_800]),
    "converted": st.booleans(),
    "person": st.sampled_from([NOBODY, 11, 12, 13, 14, 11 + 1021, 2**63 - 1]),
}
# Few enough that calls change; two ranges, because a bitmap keeps ids in blocks of 65,536.
ids = st.integers(1, 20) | st.integers(65_534, 65_537)
calls_of_any_kind = st.builds(Facts, id=ids, **FACTS)
days = st.sampled_from(
    [date(2026, 11, 1) + timedelta(days=days) for days in (-29, -6, -1, 0, 1, 2, 6, 30)]
    + [date(2010, 11, 6), date(2010, 11, 7), date(2000, 1, 1), date(2100, 1, 1), date(2026, 3, 8)]
)


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Mostly nothing chosen: were every choice restricted, no call would ever be let through."""
    chosen = st.lists(st.sampled_from([*values, NONE]), unique=True, max_size=3).map(lambda found: tuple(sorted(found)))
    return st.one_of(st.just(()), st.just(()), chosen)


choices = {
    "campaign": some("spring", "autumn", "gone"),
    "agent": some("asha", "ravi"),
    "version": some("v1", "v2"),
    "type": some("outbound", "inbound", "outbound-test"),
    "stage": some(*STAGES),
    "figure": st.one_of(st.just(()), st.lists(st.sampled_from([*FIGURES]), unique=True, max_size=2).map(tuple)),
    "reason": some("CLIENT_INITIATED", "VOICEMAIL_DETECTED", "of their own"),
    "duration": some(*DURATIONS),
    "try_": some("-1", "0", "2", "7"),
}


@st.composite
def filters(draw: st.DrawFn) -> CallFilter:
    scope = draw(st.sampled_from([(), (), (), ("spring",), ("autumn", "spring"), (NONE,), ("gone",)]))
    wanted = draw(st.builds(CallFilter, scope=st.just(scope), **choices))
    if draw(st.booleans()):
        return replace(wanted, period=draw(st.sampled_from(["", *PERIODS])))
    first, last = draw(st.none() | days), draw(st.none() | days)
    if first and last and first > last:
        first, last = last, first
    return replace(wanted, from_=first, to=last)


class AnyHistory(RuleBasedStateMachine):
    """Calls come, change and go in any order; any question may be asked at any time."""

    @initialize(timezone=st.sampled_from(ZONES), few=st.sampled_from([0, 3, people_module._FEW]))
    def start(self, timezone: ZoneInfo, few: int) -> None:
        # So that small sets are remembered from one question to the next too, and some of them forgotten.
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(people_module, "_FEW", few)
        self.patch.setattr(people_module, "_MOST_CROWDS", 4)
        self.timezone = timezone
        self.index = Index(timezone)
        self.calls: dict[int, Facts] = {}

    def teardown(self) -> None:
        self.patch.undo()

    @rule(facts=calls_of_any_kind)
    def a_call_is_put(self, facts: Facts) -> None:
        self.index.put(facts)
        self.calls[facts.id] = facts

    @rule(call_id=ids, fact=st.sampled_from([*FACTS]), data=st.data())
    def one_fact_changes(self, call_id: int, fact: str, data: st.DataObject) -> None:
        if call_id in self.calls:
            self.a_call_is_put(self.calls[call_id]._replace(**{fact: data.draw(FACTS[fact])}))  # type: ignore[arg-type]

    @rule(call_id=ids)
    def a_call_is_removed(self, call_id: int) -> None:
        self.index.remove(call_id)
        self.calls.pop(call_id, None)

    @rule(many=st.lists(calls_of_any_kind, max_size=30))
    def many_are_loaded(self, many: list[Facts]) -> None:
        self.index.load(many)
        self.calls |= {facts.id: facts for facts in many}

    @rule(wanted=filters(), today=days, limit=st.integers(1, 7))
    def a_page_is_asked_for(self, wanted: CallFilter, today: date, limit: int) -> None:
        found = listed(self.calls.values(), wanted, today, self.timezone)
        in_order = [facts.id for facts in found]
        assert self.index.count(wanted, today) == len(found)
        assert self.index.figures(wanted, today) == recounted(found)
        assert self.index.ids(wanted, today, limit=limit) == in_order[:limit]
        assert paged(self.index, wanted, today, limit) == in_order

    @rule(wanted=filters(), today=days)
    def the_hours_are_asked_for(self, wanted: CallFilter, today: date) -> None:
        found = listed(self.calls.values(), wanted, today, self.timezone)
        assert self.index.hours(wanted, today) == told_by_hour(found, self.timezone)

    @rule(wanted=st.just(EVERYTHING) | filters(), at=moments, weeks=st.integers(0, 3))
    def what_is_usual_is_asked_for(self, wanted: CallFilter, at: int, weeks: int) -> None:
        now = datetime.fromtimestamp(at // 1_000_000, UTC) + timedelta(weeks=weeks)
        told = usual_told(self.calls.values(), wanted, now, self.timezone)
        usual = self.index.usual(wanted, now)
        assert (usual and [*usual]) == told

    @rule(wanted=filters(), today=days, at=moments, call_id=ids | st.just(0))
    def what_follows_any_place_is_asked_for(self, wanted: CallFilter, today: date, at: int, call_id: int) -> None:
        found = listed(self.calls.values(), wanted, today, self.timezone)
        after = [facts.id for facts in found if (facts.at, facts.id) < (at, call_id)]
        assert self.index.ids(wanted, today, limit=5, before=(at, call_id)) == after[:5]

    @rule(wanted=filters(), today=days)
    def the_counts_beside_the_options_are_asked_for(self, wanted: CallFilter, today: date) -> None:
        options = self.index.options(wanted, today)
        assert [*options] == [*CHOICES]
        for choice in CHOICES:
            found = listed(self.calls.values(), wanted.with_values(choice, ()), today, self.timezone)
            assert options[choice] == offered(choice, found, wanted.values(choice)), choice
        for period, count in self.index.periods(wanted, today).items():
            assert count == len(listed(self.calls.values(), wanted.with_period(period), today, self.timezone)), period

    @invariant()
    def it_holds_what_was_put_in(self) -> None:
        assert len(self.index) == len(self.calls)
        for call_id in range(40):
            assert (call_id in self.index) == (call_id in self.calls)
        assert {call_id: self.index.facts(call_id) for call_id in self.calls} == self.calls
        assert self.index.figures(EVERYTHING, TODAY) == recounted(self.calls.values())


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
test_whatever_happens_the_index_answers_as_a_recount_does = AnyHistory.TestCase


@settings(max_examples=100)
@given(many=st.lists(calls_of_any_kind, max_size=40), wanted=filters(), today=days, timezone=st.sampled_from(ZONES))
def test_loading_many_is_the_same_as_putting_each(
    many: list[Facts], wanted: CallFilter, today: date, timezone: ZoneInfo
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # So that a repeated call falls into the same piece in one example, into a later one in the next.
        patch.setattr(index_module, "_PIECE", 7)
        loaded = Index(timezone)
        loaded.load(iter(many))
    put = index_of(*many, timezone=timezone)
    assert len(loaded) == len(put)
    for facts in many:
        assert loaded.facts(facts.id) == put.facts(facts.id)
    assert loaded.ids(wanted, today, limit=100) == put.ids(wanted, today, limit=100)
    assert loaded.figures(wanted, today) == put.figures(wanted, today)
    assert loaded.options(wanted, today) == put.options(wanted, today)
    assert loaded.hours(wanted, today) == put.hours(wanted, today)


def test_an_index_without_calls_answers_with_nothing() -> None:
    index = Index(KOLKATA)
    assert index.figures(EVERYTHING, TODAY) == Figures()
    assert index.hours(EVERYTHING, TODAY) == [0] * 24
    assert index.usual(EVERYTHING, datetime(2026, 11, 2, 12, 0, tzinfo=UTC)) is None
    assert index.ids(EVERYTHING, TODAY, limit=50) == []
    assert index.ids(EVERYTHING, TODAY, limit=50, before=(5, 5)) == []
    assert index.periods(EVERYTHING, TODAY) == {"today": 0, "7d": 0, "30d": 0, "": 0}
    assert index.options(EVERYTHING, TODAY)["campaign"] == []
    assert index.options(EVERYTHING, TODAY)["stage"] == [(stage, 0) for stage in STAGES]


def test_a_changed_call_counts_only_as_what_it_is_now() -> None:
    index = index_of(a_call(1), a_call(1, reason="VOICEMAIL_DETECTED", duration_seconds=3, campaign="autumn"))
    assert index.figures(EVERYTHING, TODAY) == Figures(calls=1, dialled=1, voicemail=1, leads=1)
    assert index.options(EVERYTHING, TODAY)["campaign"] == [("autumn", 1)]
    assert index.ids(CallFilter(campaign=("spring",)), TODAY, limit=9) == []
    assert index.ids(CallFilter(campaign=("autumn",)), TODAY, limit=9) == [1]


def test_a_call_whose_time_changes_moves_to_its_new_day_and_place() -> None:
    index = index_of(a_call(1), a_call(2), a_call(2, at=a_call(1).at - _DAY))
    assert index.ids(EVERYTHING, TODAY, limit=9) == [1, 2]
    assert index.ids(CallFilter(period="today"), TODAY, limit=9) == [1]


def test_a_removed_call_leaves_no_trace() -> None:
    index = index_of(a_call(1), a_call(2, campaign="autumn"))
    index.remove(2)
    assert 2 not in index
    assert index.figures(EVERYTHING, TODAY) == Figures(calls=1, dialled=1, connected=1, talk=40, leads=1, reached=1)
    assert index.options(EVERYTHING, TODAY)["campaign"] == [("spring", 1)]
    with pytest.raises(KeyError):
        index.facts(2)


def test_removing_a_call_that_is_not_there_changes_nothing() -> None:
    index = index_of(a_call(1))
    index.remove(2)
    index.remove(7_000_000)
    assert index.ids(EVERYTHING, TODAY, limit=9) == [1]


def test_values_that_no_call_has_any_more_are_let_go() -> None:
    index = Index(KOLKATA)
    for strange in range(300):
        index.put(a_call(1, campaign=f"made up {strange}", at=a_call(1).at + strange * _DAY))
    assert index.options(EVERYTHING, TODAY)["campaign"] == [("made up 299", 1)]
    assert len(index._groups["campaign"].calls) == len(index._times._days.calls) == len(index._columns["campaign"]) == 1
    # Two: a value is taken in before the one it replaces has gone, or a place for it is free.
    assert len(index._columns["campaign"]._values) <= 2


def test_test_calls_are_listed_but_not_counted() -> None:
    index = index_of(a_call(1), a_call(2, type="outbound-test"), a_call(3, type="agent-test", converted=True))
    assert index.ids(EVERYTHING, TODAY, limit=9) == [3, 2, 1]
    assert index.count(EVERYTHING, TODAY) == 3
    assert index.figures(EVERYTHING, TODAY) == Figures(calls=1, dialled=1, connected=1, talk=40, leads=1, reached=1)
    assert index.ids(CallFilter(figure=("calls",)), TODAY, limit=9) == [1]


def test_talk_is_the_exact_sum_of_seconds_over_connected_calls() -> None:
    lengths = [0, 1, 59, 60, 1_023, 1_024, 604_800]
    index = index_of(*(a_call(n, duration_seconds=seconds) for n, seconds in enumerate(lengths, start=1)))
    index.put(a_call(20, reason="VOICEMAIL_DETECTED", duration_seconds=500))
    assert index.figures(EVERYTHING, TODAY).talk == sum(lengths)


def test_talk_follows_a_changed_duration() -> None:
    index = index_of(a_call(1, duration_seconds=63), a_call(2, duration_seconds=5))
    index.put(a_call(1, duration_seconds=64))
    index.remove(2)
    index.put(a_call(2, duration_seconds=2))
    assert index.figures(EVERYTHING, TODAY).talk == 66


@pytest.mark.parametrize("second", [0, 1])
def test_the_last_microsecond_of_a_second_is_older_than_the_next_second(second: int) -> None:
    next_second = a_call(1).at + (second + 1) * 1_000_000
    index = index_of(a_call(1, at=next_second), a_call(2, at=next_second - 1))
    assert index.ids(EVERYTHING, TODAY, limit=1) == [1]
    assert index.ids(EVERYTHING, TODAY, limit=1, before=(next_second, 1)) == [2]


def test_calls_of_one_moment_stand_in_order_of_their_ids() -> None:
    index = index_of(*(a_call(n) for n in (3, 1, 2, 5, 4)))
    assert index.ids(EVERYTHING, TODAY, limit=3) == [5, 4, 3]
    assert index.ids(EVERYTHING, TODAY, limit=3, before=(a_call(3).at, 3)) == [2, 1]


def test_a_late_call_goes_to_its_place_and_not_to_the_top() -> None:
    noon = a_call(1).at
    index = index_of(a_call(1, at=noon), a_call(2, at=noon + 2), a_call(3, at=noon + 1))
    assert index.ids(EVERYTHING, TODAY, limit=9) == [2, 3, 1]


def test_pages_follow_one_another_when_thousands_of_calls_share_a_moment() -> None:
    index = Index(KOLKATA)
    index.load(a_call(n, at=a_call(1).at + n % 3) for n in range(1, 3_001))
    newest_first = sorted(range(1, 3_001), key=lambda n: (n % 3, n), reverse=True)
    assert paged(index, EVERYTHING, TODAY, 170) == newest_first


@pytest.mark.parametrize("before", [(0, 0), (-1, -1), (-(10**20), 5), (1, 10**20)])
def test_nothing_follows_a_place_older_than_every_call(before: tuple[int, int]) -> None:
    assert index_of(a_call(1)).ids(EVERYTHING, TODAY, limit=9, before=before) == []


@pytest.mark.parametrize("before", [(10**30, 0), (a_call(1).at, 10**20), (a_call(1).at + 1, -1)])
def test_every_call_follows_a_place_newer_than_all(before: tuple[int, int]) -> None:
    assert index_of(a_call(1)).ids(EVERYTHING, TODAY, limit=9, before=before) == [1]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_no_rows_is_empty(limit: int) -> None:
    assert index_of(a_call(1)).ids(EVERYTHING, TODAY, limit=limit) == []


def test_today_is_the_day_it_is_asked_for() -> None:
    index, period = index_of(a_call(1)), CallFilter(period="today")
    assert index.ids(period, TODAY, limit=9) == [1]
    assert index.ids(period, TODAY + timedelta(days=1), limit=9) == []
    assert index.periods(period, TODAY + timedelta(days=1)) == {"today": 0, "7d": 1, "30d": 1, "": 1}


@pytest.mark.parametrize(
    ("timezone", "midnight"),
    [
        (KOLKATA, microseconds(2026, 11, 1, 18, 30)),
        (KATHMANDU, microseconds(2026, 11, 1, 18, 15)),
        # The clocks of New York were put back that night: its 1 November has 25 hours.
        (NEW_YORK, microseconds(2026, 11, 2, 5, 0)),
    ],
)
def test_a_day_begins_at_midnight_of_the_boards_zone(timezone: ZoneInfo, midnight: int) -> None:
    index = index_of(a_call(1, at=midnight - 1), a_call(2, at=midnight), timezone=timezone)
    assert index.ids(CallFilter(from_=TODAY), TODAY, limit=9) == [2]
    assert index.ids(CallFilter(to=TODAY - timedelta(days=1)), TODAY, limit=9) == [1]


def test_a_clock_put_back_over_midnight_leaves_each_call_on_its_own_day() -> None:
    # At 00:01 on 7 November 2010 it was 23:01 on the 6th again: a quarter-hour with both days in it.
    seventh = a_call(1, at=microseconds(2010, 11, 7, 2, 30))
    sixth_again = a_call(2, at=microseconds(2010, 11, 7, 2, 31))
    index = index_of(seventh, sixth_again, timezone=ST_JOHNS)
    assert index.ids(CallFilter(from_=date(2010, 11, 7)), TODAY, limit=9) == [1]
    assert index.ids(CallFilter(to=date(2010, 11, 6)), TODAY, limit=9) == [2]
    assert index.ids(EVERYTHING, TODAY, limit=9) == [2, 1]


def test_a_campaign_that_is_called_none_is_found_with_the_calls_without_one() -> None:
    index = index_of(a_call(1, campaign=""), a_call(2, campaign="none"), a_call(3))
    assert index.ids(CallFilter(campaign=(NONE,)), TODAY, limit=9) == [2, 1]
    assert index.options(EVERYTHING, TODAY)["campaign"] == [(NONE, 2), ("spring", 1)]
    assert index.facts(1).campaign == ""
    assert index.facts(2).campaign == "none"


def test_the_counts_of_a_choice_leave_its_own_restriction_out_and_keep_the_others() -> None:
    index = index_of(a_call(1), a_call(2, campaign="autumn"), a_call(3, campaign="autumn", agent="ravi"))
    options = index.options(CallFilter(campaign=("spring",), agent=("asha",)), TODAY)
    assert options["campaign"] == [("autumn", 1), ("spring", 1)]
    assert options["agent"] == [("asha", 1)]
    assert options["version"] == [("v1", 1)]


def test_a_chosen_value_stays_offered_when_it_would_list_nothing() -> None:
    options = index_of(a_call(1)).options(CallFilter(campaign=("gone",), agent=("asha",)), TODAY)
    assert options["campaign"] == [("spring", 1), ("gone", 0)]
    assert options["agent"] == [("asha", 0)]
    assert options["reason"] == []


def test_tries_are_offered_in_order_of_number() -> None:
    index = index_of(*(a_call(n, try_count=tries) for n, tries in enumerate((10, 2, -1, 0, 2), start=1)))
    offered_tries = index.options(CallFilter(try_=(NONE,)), TODAY)["try"]
    assert offered_tries == [("-1", 1), ("0", 1), ("2", 2), ("10", 1), (NONE, 0)]


def test_ten_tries_to_one_person_are_ten_calls_and_one_lead() -> None:
    tries = [a_call(n, try_count=n, reason="USER_UNAVAILABLE", duration_seconds=0) for n in range(1, 10)]
    index = index_of(*tries, a_call(10, try_count=10, converted=True), a_call(11, person=12, reason="UNKNOWN"))
    assert index.figures(EVERYTHING, TODAY)[-3:] == (2, 1, 1)
    assert index.figures(CallFilter(try_=("1", "2")), TODAY)[-3:] == (1, 0, 0)


def test_calls_without_a_number_are_nobodys_and_test_calls_reach_no_one() -> None:
    index = index_of(a_call(1, person=NOBODY), a_call(2, person=NOBODY), a_call(3, type="agent-test", converted=True))
    figures = index.figures(EVERYTHING, TODAY)
    assert (figures.calls, figures.leads, figures.reached, figures.leads_converted) == (2, 0, 0, 0)


def test_a_call_whose_number_changes_is_another_persons_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_module, "_FEW", 0)
    index = index_of(a_call(1, person=11), a_call(2, person=11))
    assert index.figures(EVERYTHING, TODAY).leads == 1
    index.put(a_call(2, person=12))
    assert index.figures(EVERYTHING, TODAY).leads == 2
    index.put(a_call(1, person=12))
    assert index.figures(EVERYTHING, TODAY).leads == 1
    index.put(a_call(1, person=NOBODY))
    index.remove(2)
    assert index.figures(EVERYTHING, TODAY).leads == 0


def test_people_are_let_go_with_their_last_call() -> None:
    index = Index(KOLKATA)
    for person in range(1, 300):
        index.put(a_call(1, person=person))
    # One that stands for nobody, and one more as above.
    assert len(index._people) == 2
    assert len(index._people._values) <= 3


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 1021, 2042, 2**63 - 1]), st.none() | st.integers(0, 2**32 - 1))))
def test_the_register_of_people_is_a_dict(changes: list[tuple[int, int | None]]) -> None:
    register, plain = people_module._Register(), dict[int, int]()
    for number, code in changes:
        if code is None:
            assert register.pop(number, None) == plain.pop(number, None)
        else:
            register[number] = plain[number] = code
        assert dict(register) == plain
        assert len(register) == len(plain)
        assert register.get(number) == plain.get(number)


def test_an_hour_that_comes_twice_counts_the_calls_of_both() -> None:
    # New York's clocks were put back from 02:00 to 01:00 at 06:00 UTC; Kathmandu is 5 h 45 min ahead.
    calls = [a_call(n, at=microseconds(2026, 11, 1, hour, 30)) for n, hour in enumerate((4, 5, 6, 7), start=1)]
    in_new_york = index_of(*calls, timezone=NEW_YORK).hours(EVERYTHING, TODAY)
    assert in_new_york == [1, 2, 1] + [0] * 21
    in_kathmandu = index_of(*calls, timezone=KATHMANDU).hours(EVERYTHING, TODAY)
    assert in_kathmandu == [0] * 10 + [1, 1, 1, 1] + [0] * 10


# Weeks back and minutes aside, so that most calls are near the edge of what is compared.
near = st.builds(
    lambda call_id, weeks, minutes, microseconds: a_call(
        call_id, at=-weeks * 7 * _DAY + minutes * _MINUTE + microseconds, person=call_id % 5
    ),
    st.integers(1, 12),
    st.integers(0, 5),
    st.sampled_from([-1440, -721, -61, -60, -16, -1, 0, 1, 59, 60, 1439]),
    st.sampled_from([-1, 0, 1, 59_999_999]),
)


@settings(max_examples=300)
@given(
    calls=st.lists(near, max_size=12, unique_by=lambda facts: facts.id),
    moment=st.sampled_from(_MOMENTS[:-2]),
    seconds=st.integers(0, 3 * 86_400),
    timezone=st.sampled_from(ZONES),
)
def test_what_is_usual_equals_a_recount_of_the_weekdays_in_every_zone(
    calls: list[Facts], moment: int, seconds: int, timezone: ZoneInfo
) -> None:
    at = moment + seconds * 1_000_000
    calls = [facts._replace(at=facts.at + at) for facts in calls]
    now = datetime.fromtimestamp(at // 1_000_000, UTC)
    usual = index_of(*calls, timezone=timezone).usual(EVERYTHING, now)
    assert (usual and [*usual]) == usual_told(calls, EVERYTHING, now, timezone)


MONDAY_NOON = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


def test_what_is_usual_is_what_the_same_weekdays_had_come_to_by_this_minute() -> None:
    week_ago, two_weeks_ago = a_call(1).at - 7 * _DAY, a_call(1).at - 14 * _DAY
    index = index_of(
        a_call(1, at=week_ago - 1),
        a_call(2, at=week_ago),
        a_call(3, at=two_weeks_ago - _MINUTE),
        a_call(4, at=two_weeks_ago - 2 * _MINUTE, person=12),
        a_call(5, at=week_ago - _DAY),
        a_call(6),
    )
    usual = index.usual(EVERYTHING, MONDAY_NOON)
    assert usual == Usual(1.5, 1.5, 1.5, 0, 0, 60, 1.5, 1.5, 0, weekdays=2)
    assert index.usual(CallFilter(period="today"), MONDAY_NOON + timedelta(seconds=59)) == usual
    assert index.usual(CallFilter(campaign=("autumn",)), MONDAY_NOON) == Usual(0, 0, 0, 0, 0, 0, 0, 0, 0, weekdays=2)


def test_nothing_is_usual_before_two_weekdays_are_known() -> None:
    index = index_of(a_call(1, at=a_call(1).at - 7 * _DAY - 1))
    assert index.usual(EVERYTHING, MONDAY_NOON) is None
    index.put(a_call(2, at=a_call(1).at - 14 * _DAY))
    assert index.usual(EVERYTHING, MONDAY_NOON) is None
    known = index.usual(EVERYTHING, MONDAY_NOON + timedelta(minutes=1))
    assert known
    assert (known.calls, known.weekdays) == (1, 2)


def test_days_are_compared_by_the_clock_on_the_wall_though_it_was_changed_between() -> None:
    # Noon in New York: 17:00 UTC in winter, 16:00 UTC in summer.
    calls = [a_call(n, at=microseconds(2026, 10, day, 15, 59)) for n, day in enumerate((12, 19, 26), start=1)]
    calls += [a_call(n, at=microseconds(2026, 10, day, 16, 30)) for n, day in enumerate((12, 19, 26), start=4)]
    usual = index_of(*calls, timezone=NEW_YORK).usual(EVERYTHING, datetime(2026, 11, 2, 17, 0, tzinfo=UTC))
    assert usual
    assert (usual.calls, usual.weekdays) == (1, 3)
