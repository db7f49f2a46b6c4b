"""What is drawn: numbers, times and links in words, and strangers' text as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.app import asset_folder
from dashboard.figures import Figures, Usual
from dashboard.filters import CHOICES, CallFilter, read_filter
from dashboard.render import (
    Renderer,
    group_digits,
    json_text,
    link,
    local_time,
    minutes,
    older_link,
    percent,
    read_row_key,
    row_key,
    short_id,
    toggle,
    utc,
    value_words,
)
from dashboard.store.calls import CallRow
from tests.hostile import MARKUP, ODD_TEXTS

KOLKATA = ZoneInfo("Asia/Kolkata")
AT = 1_766_140_267_000_000


@pytest.fixture(scope="module")
def draw() -> Renderer:
    return Renderer(asset_folder("templates"), timezone=KOLKATA, indian_grouping=True, static_version="1")


def row(**changes: Any) -> CallRow:
    empty: dict[str, Any] = dict.fromkeys(CallRow._fields, "")
    known = {"id": 7, "seq": 9, "created_seq": 9, "at": AT, "received_at": AT, "try_count": 0}
    nothing = {"duration_seconds": None, "converted": None, "recording_state": None}
    return CallRow(**(empty | {name: value for name, value in known.items() if name in empty} | nothing | changes))


@pytest.mark.parametrize(
    ("number", "indian", "western"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (1284, "1,284", "1,284"),
        (128400, "1,28,400", "128,400"),
        (12345678, "1,23,45,678", "12,345,678"),
        (-1500, "-1,500", "-1,500"),
    ],
)
def test_digits_are_grouped_the_indian_way_or_the_western(number: int, indian: str, western: str) -> None:
    assert (group_digits(number, indian=True), group_digits(number, indian=False)) == (indian, western)


@given(st.integers(), st.booleans())
def test_grouping_loses_no_digit(number: int, indian: bool) -> None:
    assert int(group_digits(number, indian=indian).replace(",", "")) == number


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "–"),
        (0, 5, "0 %"),
        (1, 3, "33 %"),
        (1, 30, "3.3 %"),
        (1, 1000, "0.1 %"),
        (5, 5, "100 %"),
        (996, 10000, "10 %"),
    ],
)
def test_a_share_has_a_decimal_only_where_it_is_small(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0, "0s"), (59, "59s"), (59.6, "1m 00s"), (108, "1m 48s"), (3600, "1h 00m"), (604_800, "168h 00m")],
)
def test_a_duration_in_words(seconds: float | None, shown: str) -> None:
    assert minutes(seconds) == shown


def test_a_moment_in_utc_and_on_the_boards_clock() -> None:
    assert utc(AT + 999_999) == "2025-12-19T10:31:07Z"
    assert local_time(AT, timezone=KOLKATA, form="%H:%M:%S") == "16:01:07"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("919876543210", "+91 98765 43210"),
        ("+919876543210", "+91 98765 43210"),
        ("09876543210", "+91 98765 43210"),
        ("91987654321०", "+91 98765 43210"),
        ("sip:agent@example", "sip:agent@example"),
        ("", ""),
    ],
)
def test_a_number_is_shown_in_its_international_form(draw: Renderer, number: str, shown: str) -> None:
    assert draw.phone(number) == shown
    assert shown in draw.call_row(row(customer_number=number)).replace("&#43;", "+")


def test_a_national_number_is_shown_as_the_boards_region_reads_it() -> None:
    templates = asset_folder("templates")
    draw = Renderer(templates, timezone=KOLKATA, indian_grouping=True, static_version="1", region="AE")
    assert draw.phone("0501234567") == "+971 50 123 4567"


@pytest.mark.parametrize(
    ("value", "choice", "words"),
    [
        ("none", "campaign", "None"),
        ("not-dialled", "stage", "Not dialled"),
        ("CLIENT_INITIATED", "reason", "Picked up, customer hung up"),
        ("inbound", "type", "Inbound"),
        ("2", "try", "Retry 2"),
        ("over-60", "duration", "over 60 s"),
        ("11-30", "duration", "11–30 s"),
        ("2303fa770b666a64ab1694c1e", "campaign", "2303fa…4c1e"),
        ("<b>", "campaign", "<b>"),
    ],
)
def test_a_filters_value_in_words(value: str, choice: str, words: str) -> None:
    assert value_words(value, choice) == words


def test_a_short_id_stays_whole() -> None:
    assert (short_id("x" * 14), short_id("abcdefghijklmno")) == ("x" * 14, "abcdef…lmno")


@given(st.integers(0, 10**17 - 1), st.integers(0, 10**10 - 1), st.integers(0, 10**17 - 1), st.integers(0, 10**10 - 1))
def test_a_rows_key_sorts_as_text_like_the_row_and_is_read_back(
    at: int, id_: int, other_at: int, other_id: int
) -> None:
    assert read_row_key(row_key(at, id_)) == (at, id_)
    assert (row_key(at, id_) < row_key(other_at, other_id)) == ((at, id_) < (other_at, other_id))


@given(st.text(max_size=40))
def test_any_text_is_a_rows_key_or_none(text: str) -> None:
    assert read_row_key(text) is None or "-" in text


values = st.sampled_from([choice for choice in CHOICES if choice in ("campaign", "agent", "version", "reason")])


@given(values, st.text(min_size=1, max_size=9).map(str.strip).filter(bool))
def test_toggling_a_value_twice_leads_back(choice: str, value: str) -> None:
    bare = CallFilter()
    on = read_filter(parse_qsl(urlsplit(toggle(bare, choice, value)).query))
    assert on.values(choice) == (value,)
    assert toggle(on, choice, value) == "/"
    assert link(on, choice) == "/"


def test_the_way_to_older_calls_keeps_the_filter() -> None:
    assert older_link(CallFilter(campaign=("a b",)), (5, 6)) == "/?campaign=a+b&before=00000000000000005-0000000006"
    assert older_link(CallFilter(), (5, 6)) == "/?before=00000000000000005-0000000006"


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (None, "null"), (True, "true"), ([], "[]"), ({"a": 1}, '{\n  "a": 1\n}')]
)
def test_a_value_as_a_person_reads_it(value: object, text: str) -> None:
    assert json_text(value) == text


def test_long_json_does_not_take_a_line_for_each_value() -> None:
    assert "\n" not in json_text([0] * 100_000)


@pytest.mark.parametrize(
    "text",
    [text for text in MARKUP + ODD_TEXTS if len(text) < 1000],
    ids=range(len([text for text in MARKUP + ODD_TEXTS if len(text) < 1000])),
)
def test_no_text_in_a_row_is_anything_but_text(draw: Renderer, text: str) -> None:
    fields = ("campaign", "agent", "version", "type", "reason", "customer_name", "customer_number", "disposition")
    clean = draw.show_call(row(**dict.fromkeys(fields, "x")))
    shape = re.findall(r"<\w+|</\w+|\b[\w-]+=\"", clean)
    drawn = draw.show_call(row(**dict.fromkeys(fields, f"x{text}x")))
    assert re.findall(r"<\w+|</\w+|\b[\w-]+=\"", _without_texts(drawn, text)) == shape


def _without_texts(drawn: str, text: str) -> str:
    """The drawing without the escaped text, in full or cut short, so that only its own markup is left."""
    from markupsafe import escape

    for shown in (f"x{text}x", short_id(f"x{text}x"), f"x{text}x"[:200]):
        drawn = drawn.replace(str(escape(shown)), "x")
    return drawn


def test_a_row_with_nothing_in_it_is_a_row(draw: Renderer) -> None:
    drawn = draw.call_row(row())
    assert 'id="call-7"' in drawn
    assert "Unknown caller" in drawn
    assert 'datetime="2025-12-19T10:31:07Z"' in drawn


def test_a_row_says_what_became_of_its_recording(draw: Renderer) -> None:
    marks = {state: draw.call_row(row(recording_state=state)) for state in ("kept", "waiting", "failed")}
    assert "Recording kept" in marks["kept"]
    assert "being fetched" in marks["waiting"]
    assert "could not be fetched" in marks["failed"]


def test_figures_are_plain_digits_for_programs_and_links_to_what_they_count(draw: Renderer) -> None:
    figures = Figures(128400, 1000, 500, 30, 50, 54_000, leads=700)
    usual = Usual(10, 11, 12, 13, 14, 15, 16, 17, 18, weekdays=3)
    drawn = draw.figures(figures, CallFilter(agent=("a",)), listed=128400, hours=[0] * 9 + [7] + [0] * 14, usual=usual)
    assert 'data-figure="calls" data-value="128400"' in drawn
    assert 'data-figure="talk" data-value="54000"' in drawn
    assert "1,28,400" in drawn
    assert 'href="/?agent=a&amp;figure=connected"' in drawn
    assert 'data-figure="leads" data-value="700"' in drawn
    assert "usual 10<" in drawn
    assert "(mean of the last 3)" in drawn
    assert "most of them, 7, from 9:00 on" in drawn


def test_every_template_escapes_everything() -> None:
    for template in asset_folder("templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert "|safe" not in text.replace("|safe_url", ""), template.name
        assert not re.search(r"=\{\{", text), f"{template.name}: an attribute without quotes"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", text), (
            f"{template.name}: inline script or style"
        )


def test_markup_is_made_in_one_place_only(request: pytest.FixtureRequest) -> None:
    house = Path(str(request.config.rootpath)) / "dashboard"
    made: Callable[[Path], bool] = lambda path: "Markup(" in path.read_text(encoding="utf-8")  # noqa: E731
    assert [path.name for path in sorted(house.rglob("*.py")) if made(path)] == ["render.py"]
