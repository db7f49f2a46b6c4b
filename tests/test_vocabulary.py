"""The platform's codes: all that its page documents, and any other as it came."""

from __future__ import annotations

import pytest

from dashboard.callkaro.vocabulary import (
    CALL_TYPES,
    CONNECTED_REASONS,
    HANGUP_REASONS,
    NEVER_DIALLED_REASONS,
    TEST_TYPES,
    VOICEMAIL_REASON,
    is_inbound,
    reason_in_words,
    try_in_words,
    type_in_words,
)


def test_all_thirteen_reasons_and_six_types_have_words() -> None:
    assert len(HANGUP_REASONS) == 13
    assert len(CALL_TYPES) == 6
    assert all(reason_in_words(reason) != reason for reason in HANGUP_REASONS)
    assert all(type_in_words(call_type) != call_type for call_type in CALL_TYPES)


def test_the_groups_of_reasons_are_of_the_documented_ones_and_apart() -> None:
    groups = [CONNECTED_REASONS, NEVER_DIALLED_REASONS, {VOICEMAIL_REASON}]
    assert all(group <= HANGUP_REASONS.keys() for group in groups)
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert TEST_TYPES.issubset(CALL_TYPES)


def test_a_code_nobody_documented_is_shown_as_it_came() -> None:
    assert (reason_in_words("NEW_CODE"), type_in_words("whatsapp")) == ("NEW_CODE", "whatsapp")
    assert reason_in_words("") == "Reason not given"
    assert type_in_words("") == "Type not given"


@pytest.mark.parametrize(
    ("try_count", "words"), [(-1, "Inbound"), (0, "First attempt"), (1, "Retry 1"), (12, "Retry 12")]
)
def test_a_try_in_words(try_count: int, words: str) -> None:
    assert try_in_words(try_count) == words


@pytest.mark.parametrize(
    ("call_type", "try_count", "inbound"), [("inbound", 0, True), ("", -1, True), ("outbound", 0, False)]
)
def test_a_call_is_inbound_by_type_or_by_try(call_type: str, try_count: int, inbound: bool) -> None:
    assert is_inbound(call_type, try_count) is inbound
