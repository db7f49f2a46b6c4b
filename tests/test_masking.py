"""Masked numbers: wherever in a text they stand and however they are written, nobody can call them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.masking import Mask, _unused, masked

NUMBER = "919812345678"
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
separators = st.sampled_from(["", " ", "-", ".", " - ", "\u00a0", "/", ") (", "\u200b", "_", ",\n    "])
others = st.text(alphabet="abc हाँ,.-+()<>&\"'\n", max_size=12)


@st.composite
def spellings(draw: st.DrawFn, number: str) -> str:
    """A number as people and programs write it."""
    digits = number[2:] if draw(st.booleans()) else number
    spelled = "".join(digit + draw(separators) for digit in digits[:-1]) + digits[-1]
    spelled = draw(st.sampled_from(["", "+", "0", "00", "+91 "])) + spelled
    return spelled.translate(DEVANAGARI) if draw(st.booleans()) else spelled


def digits_of(text: str) -> str:
    return "".join(str(int(letter)) for letter in text if letter.isdecimal())


@given(spellings(NUMBER), others, others)
def test_no_spelling_of_a_number_is_left(spelled: str, before: str, after: str) -> None:
    shown = Mask([NUMBER])(before + spelled + after)
    assert NUMBER[2:] not in digits_of(shown)
    assert shown.startswith(before)
    assert shown.endswith(f"98•••••678{after}")


@given(spellings(NUMBER), st.sampled_from(["", "+", "0"]))
def test_it_does_not_matter_how_the_call_itself_writes_its_number(spelled: str, prefix: str) -> None:
    assert "12345" not in digits_of(Mask([prefix + NUMBER[2:]])(spelled))


@given(st.text(alphabet="0123456789 abc-", max_size=60))
def test_masking_again_changes_nothing(text: str) -> None:
    mask = Mask([NUMBER, "40021"])
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ring +91 98123 45678 after five", "Ring +91 98•••••678 after five"),
        ("9812345678 and 09812345678", "98•••••678 and 098•••••678"),
        ('{"phone":9812345678,"age":25}', '{"phone":98•••••678,"age":25}'),
        ("2025-12-19 9812345678", "2025-12-19 98•••••678"),
        ("id98123456781", "id98•••••6781"),
        ("5812345679 is an order", "5812345679 is an order"),
        ("98123456790 has a digit more", "98123456790 has a digit more"),
        ("12000 rupees on 19.12.2025", "12000 rupees on 19.12.2025"),
        ("", ""),
    ],
)
def test_only_the_number_is_masked(text: str, shown: str) -> None:
    assert Mask([NUMBER])(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("His brother's is 9812345679.", "His brother's is 98•••••679."),
        ("+91 70123-45678, 0091 701 234 5678", "+91 70•••••678, 0091 70•••••678"),
        ("6012 345 678 and 917012345678 and 00916012345678", "60•••••678 and 9170•••••678 and 009160•••••678"),
        ("०७०१२३४५६७८", "०70•••••678"),
        ("12 9812345679 and 129812345679", "12 98•••••679 and 129812345679"),
        ("order 7012345678901", "order 7012345678901"),
        ("CA9812345679ab and A_9812345679_b", "CA9812345679ab and A_98•••••679_b"),
        ("on 7.12.2025 at 10:30:45", "on 7.12.2025 at 10:30:45"),
    ],
)
@pytest.mark.parametrize("numbers", [[], [NUMBER], ["40021"]])
def test_what_reads_as_a_mobiles_number_is_masked_whoevers_it_is(numbers: list[str], text: str, shown: str) -> None:
    assert Mask(numbers)(text) == shown


@pytest.mark.parametrize("number", ["919812345678;ext=12", "+91 98123 45678 ext. 40021", "sip:919812345678@10.0.0.1"])
def test_an_extension_does_not_hide_the_number_before_it(number: str) -> None:
    assert "12345" not in digits_of(Mask([number])("Ring 98123 45678, or 0 9 8 1 2 3 4 5 6 7 8"))


def test_a_short_number_is_masked_where_it_stands_alone() -> None:
    mask = Mask(["40021"])
    assert mask("Extension 40021, order 400219, 14002 1") == "Extension •••••, order 400219, 14002 1"
    assert Mask(["121"])("121") == "•••"
    assert Mask(["121"])("121 rupees") == "121 rupees"


def test_without_a_number_there_is_nothing_to_mask() -> None:
    assert Mask(["", "anonymous"])("anonymous rang at 16:01:07") == "anonymous rang at 16:01:07"


def test_a_megabyte_of_digits_is_masked_in_a_moment() -> None:
    text = "9812345678 12 " * 70_000
    assert not re.search("12345", Mask([NUMBER, "918000000000"])(text))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("00441134960000", "00•••••••••000"),
        ("441134960000", "44•••••••000"),
        ("+91 98123 45678", "98•••••678"),
        ("9112345678", "91•••••678"),
        ("12345678", "•••••678"),
        ("501234567", "5•••••567"),
        ("1234567", "•••••••"),
        ("", ""),
    ],
)
def test_a_mask_shows_five_digits_of_a_number_long_enough_to_hide_the_rest(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_a_number_of_eight_digits_is_found_inside_others_and_one_of_seven_is_not() -> None:
    assert Mask(["40021234"])("1400212345") == "1•••••2345"
    assert Mask(["4002123"])("940021234") == "940021234"


def test_a_short_number_at_the_very_end_of_others_is_a_part_of_them() -> None:
    assert Mask(["40021"])("140021") == "140021"


def test_of_two_numbers_that_begin_alike_the_longer_one_is_masked() -> None:
    assert Mask(["58123456", "5812345678"])("Ring 5812345678") == "Ring 58•••••678"


SPLIT = "919899912345"


@pytest.mark.parametrize(
    "text",
    [
        "User: 98999\nUser: 12345\nAgent: So that is 98999, then 12345?",
        "98999[pause]12345",
        "98999...um...12345",
        "98999 ............ 12345",
        "the number 9899912 and 345",
        "91 98999, that is 2 times, 12345",
        "it is 989, then 991, then 2345",
        "९८९९९ और १२३४५",
    ],
)
def test_the_parts_of_a_number_that_is_said_with_words_between_are_masked(text: str) -> None:
    masked_once = Mask([SPLIT])(text)
    assert "98999" not in masked_once
    assert "12345" not in masked_once
    assert not set("९८१३") & set(masked_once)
    assert Mask([SPLIT])(masked_once) == masked_once


@pytest.mark.parametrize("text", ["98999 rupees, then 45000", "12345 and 98999", "98999 " + "word " * 20 + "12345"])
def test_what_is_not_the_whole_number_in_its_order_and_near_stays(text: str) -> None:
    assert Mask([SPLIT])(text) == text


def test_the_parts_of_a_number_in_neighbouring_values_are_masked() -> None:
    for value in (
        {"half1": "98999", "note": "then", "half2": "12345"},
        {"a": "98999", "x": True, "b": "12345"},
        ["98999", "and", "12345"],
    ):
        shown = str(Mask([SPLIT]).value(value))
        assert "98999" not in shown
        assert "12345" not in shown
    prices = {"a": 98999, "x": "price", "b": 45000}
    assert Mask([SPLIT]).value(prices) == prices


@given(st.integers(3, 9), st.text("abc ,.?!-\n", min_size=9, max_size=60))
def test_a_number_split_anywhere_is_not_readable(at: int, between: str) -> None:
    national = SPLIT[2:]
    shown = Mask([SPLIT])(f"It is {national[:at]} {between} {national[at:]}.")
    assert national[:at] not in shown
    assert not set("0123456789") & set(shown) or national[at:] not in shown


def test_a_word_in_place_of_a_number_stays_in_texts() -> None:
    mask = Mask(["unknown", "front desk", "40021", "alice@10.20.30.40"])
    shown = [mask(text) for text in ("unknown", "front desk", "40021", "alice@10.20.30.40")]
    assert shown == ["unknown", "front desk", "•••••", "•••••"]


def test_many_keys_that_look_alike_cost_a_few_look_ups_each() -> None:
    class Counted(dict[str, None]):
        look_ups = 0

        def __contains__(self, key: object) -> bool:
            self.look_ups += 1
            return super().__contains__(key)

    taken, used = Counted(), dict[str, int]()
    for _ in range(5_000):
        taken[_unused("98•••••678", taken, used)] = None
    assert list(taken)[:3] == ["98•••••678", "98•••••678 (2)", "98•••••678 (3)"]
    assert len(taken) == 5_000
    assert taken.look_ups <= 3 * 5_000
