"""What people are told beside the calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard.calls import micros
from dashboard.hours import read_calling_hours
from dashboard.notices import Newcomer, Refusal, Trouble, connection, newcomers, refused, silence, trouble

INDIA = ZoneInfo("Asia/Kolkata")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=INDIA)
ALWAYS = read_calling_hours("00:00-23:59")


def ago(**time: float) -> int:
    return micros(NOON - timedelta(**time))


def test_a_board_that_never_heard_anything_waits() -> None:
    assert connection(None, None, None, NOON) == ("waiting", "Waiting for the first report from CallKaro.", "", "")


def test_an_unreadable_first_report_is_told_with_what_was_wrong() -> None:
    last = ago(minutes=1)
    notice = connection(Trouble(last, "The body is not JSON.", ""), last, None, NOON)
    assert notice.kind == "trouble"
    assert "at 11:59:00" in notice.words
    assert "The body is not JSON." in notice.words


def test_another_event_says_which_one_to_choose() -> None:
    last = ago(minutes=1)
    words = connection(Trouble(last, "", "message_received"), last, None, NOON).words
    assert "'message_received'" in words
    assert "choose call_ended" in words


def test_a_report_that_came_after_the_trouble_says_that_it_works() -> None:
    assert connection(Trouble(ago(minutes=5), "Not JSON.", ""), ago(minutes=1), None, NOON).kind == "arrived"


def test_trouble_is_told_for_an_hour_and_other_events_are_none() -> None:
    assert trouble(None, NOON) is None
    assert trouble(Trouble(ago(minutes=59), "Not JSON.", ""), NOON) is not None
    assert trouble(Trouble(ago(minutes=61), "Not JSON.", ""), NOON) is None
    assert trouble(Trouble(ago(minutes=1), "", "message_received"), NOON) is None


def test_silence_says_since_when_and_for_how_long() -> None:
    notice = silence(ALWAYS, ago(minutes=25), NOON)
    assert notice is not None
    assert "for 25 minutes" in notice.words
    assert "came at 11:35." in notice.words
    assert silence(ALWAYS, ago(minutes=5), NOON) is None


def test_silence_since_another_day_names_the_day() -> None:
    notice = silence(ALWAYS, ago(days=2), NOON)
    assert notice is not None
    assert "came at 12:00 on 21 Nov." in notice.words


def test_a_board_without_hours_or_without_reports_keeps_quiet() -> None:
    assert silence(None, ago(days=2), NOON) is None
    assert silence(ALWAYS, None, NOON) is None


def test_a_report_with_a_wrong_secret_is_told_with_the_way_out() -> None:
    notice = refused(Refusal(ago(minutes=5), "A report came with a wrong secret."), NOON)
    assert notice is not None
    assert "at 11:55:00" in notice.words
    assert "dashboard connect" in notice.words
    assert refused(Refusal(ago(minutes=61), "Wrong."), NOON) is None
    assert refused(None, NOON) is None


def test_before_the_first_call_the_newest_of_refusal_and_report_is_told() -> None:
    refusal = Refusal(ago(minutes=5), "A report came with a wrong secret.")
    assert "wrong secret" in connection(None, ago(minutes=6), refusal, NOON).words
    assert connection(None, ago(minutes=4), refusal, NOON).kind == "arrived"


def test_a_notice_for_everybody_shows_no_number() -> None:
    notice = newcomers([Newcomer("reason", "CALLED_919822222222", ago(minutes=5))], NOON)
    assert notice is not None
    assert "CALLED_98•••••222, first seen" in notice.words
