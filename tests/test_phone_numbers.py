"""A person is a telephone number, however it is written; the same rule finds it in text."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, pairwise

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.phone_numbers import Numbers, digits_of, display, is_region, masked, mentions, numbers_in, person_key
from dashboard.phone_numbers.reading import _read
from tests.phone_spellings import ANONYMOUS, INDIAN_MOBILE, OTHERS, PEOPLE, SIP_NAME, UAE_MOBILE, Person

SPELLINGS = [(person, str(spelling)) for person in PEOPLE for spelling in person.spellings]
QUOTED = [(person, text) for person in PEOPLE for text in person.quoted]
plain_indian = st.from_regex(r"\A(?:(?:\+|00)?91|0)?[6-9][0-9]{9}\Z")


@pytest.mark.parametrize(("person", "spelling"), SPELLINGS)
def test_every_spelling_of_a_number_is_one_person(person: Person, spelling: str) -> None:
    assert person_key(spelling) == person.key


def test_nearly_the_same_numbers_are_other_people() -> None:
    keys = [person_key(str(spelling)) for spelling in OTHERS]
    assert len({*keys, *(person.key for person in PEOPLE)}) == len(OTHERS) + len(PEOPLE)
    assert "" not in keys


@pytest.mark.parametrize("text", ANONYMOUS)
def test_an_anonymous_caller_is_no_person(text: str) -> None:
    assert person_key(text) == ""


@given(plain_indian)
def test_the_short_way_for_indian_mobiles_gives_what_libphonenumber_gives(number: str) -> None:
    parsed = phonenumbers.parse(number, "IN")
    assert person_key(number) == phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    assert person_key(number) == _read(number, "IN")[0]


@given(st.from_regex(r"\A\+91[6-9][0-9]{9}\Z"), st.sampled_from(["AE", "SG", "US", "GB"]))
def test_an_indian_mobile_with_its_code_is_the_same_in_every_region(number: str, region: str) -> None:
    assert person_key(number, region) == number == _read(number, region)[0]


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.sampled_from(["IN", "AE", "US"]))
def test_each_countrys_numbers_are_read_in_every_form_that_libphonenumber_writes(country: str, region: str) -> None:
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return
    key = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for form in (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.RFC3966):
        assert person_key(phonenumbers.format_number(example, form), region) == key
    assert person_key(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL), country) == key


@given(st.text(max_size=40) | st.from_regex(r"[0-9a-z+@:;.,/ x]{0,30}", fullmatch=True), st.sampled_from(["IN", "AE"]))
def test_the_key_of_a_key_is_the_key(text: str, region: str) -> None:
    key = person_key(text, region)
    assert person_key(key, region) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("40021", "40021"),
        ("400-21", "40021"),
        ("123456789012345678901", "123456789012345678901"),
        ("9812345670/9812345671", "98123456709812345671"),
        ("Ravi  9812345670", "ravi 9812345670"),
        ("9.19812E+11", "9.19812e+11"),
        ("+91 98123 45670 / 11", "+919812345670"),
        ("14155552671", "+14155552671"),
        ("441134960000", "+441134960000"),
        ("0919812345670", "+919812345670"),
        ("+91 (0) 98123 45670", "+919812345670"),
        ("tel:98123-45670;phone-context=+91", "+919812345670"),
        ("sip:1001@pbx.example", "sip:1001@pbx.example"),
        ("sip:Alice@PBX.example:5070", "sip:Alice@pbx.example:5070"),
        ("sip:alice:secret@pbx.example", "sip:alice@pbx.example"),
        ("sip:10.0.0.1", "sip:10.0.0.1"),
        ("919812345670@s.whatsapp.net", "+919812345670"),
    ],
)
def test_what_is_no_telephone_number_is_compared_as_a_whole(text: str, key: str) -> None:
    assert person_key(text) == key


def test_the_region_says_whose_national_numbers_are_meant() -> None:
    assert person_key("050 123 4567", "AE") == "+971501234567"
    assert person_key("9123 4568", "SG") == "+6591234568"
    assert person_key("919812345670", "AE") == "+919812345670"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("09812345670", "+91 98123 45670"),
        ("+971501234567", "+971 50 123 4567"),
        ("02226543210", "+91 22 2654 3210"),
        ("+919812345670;ext=12", "+91 98123 45670 ext. 12"),
        ("sip:alice@10.20.30.40", "sip:alice@10.20.30.40"),
        (" anonymous ", "anonymous"),
        ("+91 98123 45670 or Ravi", "+91 98123 45670 or Ravi"),
        ("40021", "40021"),
    ],
)
def test_a_number_is_shown_in_its_international_form(text: str, shown: str) -> None:
    assert display(text) == shown


def test_a_masked_address_shows_nothing_of_itself() -> None:
    assert masked("sip:alice@10.20.30.40") == "•••••"
    assert masked("sip:+919812345670@10.20.30.40") == "98•••••670"


def test_a_region_is_two_letters_that_libphonenumber_knows() -> None:
    assert [is_region(text) for text in ("IN", "AE", "in", "XX", "", "India")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_a_start_does_not_wait_for_the_library() -> None:
    program = "import sys, dashboard.phone_numbers as p; p.person_key('98' * 5); print('phonenumbers' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize(("person", "quoted"), QUOTED)
def test_every_way_to_quote_a_number_is_found(person: Person, quoted: str) -> None:
    text = f"On 12.5. ring {quoted}, please"
    (found,) = Numbers([person.key]).find(text)
    assert found.key == person.key
    assert text[found.start : found.end] in quoted
    assert mentions(text, person.key)
    assert not any(mentions(text, other.key) for other in PEOPLE if other is not person)
    hidden = text[: found.start] + "…" + text[found.end :]
    assert person.core not in digits_of(hidden)
    assert person.core not in hidden


@pytest.mark.parametrize(
    "text",
    [
        "+1 98123 45670",
        "001 98123 45670",
        "98123456701",
        "59812345670",
        "98123 45671",
        "981234567",
        "2026-05-12 10:00:00",
    ],
)
def test_another_number_is_no_mention(text: str) -> None:
    assert not mentions(text, INDIAN_MOBILE.key)


def test_a_number_inside_other_digits_is_hidden_though_it_is_no_mention() -> None:
    (found,) = Numbers([INDIAN_MOBILE.key]).find("id 598123456701")
    assert (found.start, found.end, found.is_whole) == (4, 14, False)


def test_the_national_form_of_a_short_number_is_found() -> None:
    assert Numbers(["+971501234567"]).find("050 123 4567")
    assert Numbers(["+6591234568"]).find("9123 4568")
    assert Numbers(["+912226543210"]).find("2654 3210")
    assert mentions("050 123 4567", "+971501234567", "AE")


@pytest.mark.parametrize(
    "field",
    [
        "02226543210/01123456789",
        "022 26543210 / 011 23456789",
        "02226543210 01123456789",
        "022-26543210  011-23456789",
        "02226543210,01123456789",
        "02226543210;01123456789",
        "Ravi 02226543210, Asha 01123456789",
    ],
)
def test_each_of_two_numbers_in_one_field_is_found(field: str) -> None:
    numbers = Numbers([field])
    assert numbers.find("ring 02226543210 today")
    assert numbers.find("ring 01123456789 today")
    assert not numbers.find("ring 04429999999 today")


@pytest.mark.parametrize("text", ["9.1981234567E+11", "9.19812345670E+11", "919.5 and 9.8123456700e9", "9.81234567E9"])
def test_a_number_in_scientific_notation_is_found(text: str) -> None:
    (found,) = Numbers([INDIAN_MOBILE.key]).find(f"ring {text}.")
    assert found.digits == INDIAN_MOBILE.core
    assert mentions(text, INDIAN_MOBILE.key)
    assert not mentions(text.replace("7E", "8E").replace("70", "80"), INDIAN_MOBILE.key)


def test_a_number_that_is_said_in_parts_is_a_mention() -> None:
    assert mentions("It is 98123, then 45670.", INDIAN_MOBILE.key)
    assert not mentions("It is 98123, then 45671.", INDIAN_MOBILE.key)


@pytest.mark.parametrize("at", ["@", "%40", "%2540", "\\u0040", "&#64;", "&#x40;", "&commat;"])
@pytest.mark.parametrize("dot", [".", "%2e", "&#46;"])
def test_an_address_is_found_however_its_signs_are_escaped(at: str, dot: str) -> None:
    text = f"from alice{at}10{dot}20.30.40, today"
    (found,) = Numbers([SIP_NAME.key]).find(text)
    assert text[: found.start] + text[found.end :] == "from , today"
    assert not Numbers([SIP_NAME.key]).find(text.replace("alice", "malice"))


def test_an_address_is_found_as_a_whole() -> None:
    key = SIP_NAME.key
    assert mentions("from <sip:alice@10.20.30.40>.", key)
    assert not mentions("sip:malice@10.20.30.40", key)
    assert not mentions("sip:alice@10.20.30.401", key)
    assert not mentions("10.20.30.40", key)


def test_numbers_of_other_people_are_found() -> None:
    texts = ("98123 45670", "+971 50 123 4567", "0091 98123-45670", "0044 113 496 0000", "98123%2045670")
    assert [[found.key for found in numbers_in(text)] for text in texts] == [
        ["+919812345670"],
        ["+971501234567"],
        ["+919812345670"],
        ["+441134960000"],
        ["+919812345670"],
    ]
    assert [found.key for found in numbers_in("ring 050 123 4567 or 12 971501234567", "AE")] == [UAE_MOBILE.key] * 2
    assert not list(numbers_in("on 7.12.2025 at 10:30:45, order 7012345678901, 12000 rupees"))


@given(st.text(alphabet="0123456789 +-.%@a\\&;\n", max_size=60), st.sampled_from(["IN", "AE"]))
def test_what_is_found_is_in_order_and_apart(text: str, region: str) -> None:
    for found in (Numbers(["9812345670", "40021", "a@1.1"], region).find(text), list(numbers_in(text, region))):
        assert all(0 <= one.start < one.end <= len(text) for one in found)
        assert all(one.end <= other.start for one, other in pairwise(found))


@given(st.lists(st.sampled_from([*"0123456789", " ", "-", "+91", "98123", "45670", "%20"]), max_size=30))
def test_a_text_with_every_digit_of_a_number_in_a_row_has_it_found(parts: list[str]) -> None:
    text = "".join(parts)
    if "9812345670" in digits_of(text.replace("%20", " ")):
        hidden = text
        for found in reversed(Numbers(["9812345670"]).find(text)):
            hidden = hidden[: found.start] + "…" + hidden[found.end :]
        assert "9812345670" not in digits_of(hidden.split("…")[0])


def test_a_megabyte_is_read_once_whatever_it_holds() -> None:
    """Each of these took minutes or longer where the time grew with the square of the length."""
    numbers = Numbers([person.key for person in PEOPLE] + [f"9170{number:08d}" for number in range(2000)])
    for text in ("1234567890" * 50_000, "9 " * 250_000, "a@" * 250_000, "%20" * 160_000, "+9715" * 100_000):
        numbers.find(text)
        list(numbers_in(text))


def test_two_people_who_share_nothing_are_never_one() -> None:
    assert all(one.key != other.key for one, other in combinations(PEOPLE, 2))


@pytest.mark.parametrize("text", ["266696687", "+266696687", "86282452253", "8656696", "2562533", "+7378742833"])
def test_a_hidden_caller_that_a_carrier_types_on_the_keypad_is_no_person(text: str) -> None:
    assert person_key(text) == ""


def test_an_indian_mobile_that_spells_restricted_is_a_person() -> None:
    assert person_key("7378742833") == "+917378742833"


@pytest.mark.parametrize(
    "text",
    [
        "+91%2098123%2045670",
        "tel:%2B919812345670",
        "%2b91-98123-45670",
        "Mobile: 9812345670",
        "Mob No. 98123 45670",
        "mobile number: 9812345670",
        "Ph. 9812345670",
        "Tel 9812345670",
        "client:9812345670",
        "p:+919812345670",
        "+91-98123 45670 (WhatsApp)",
        "फ़ोन: ९८१२३४५६७०",
    ],
)
def test_escapes_and_a_word_beside_a_number_make_no_other_person(text: str) -> None:
    assert person_key(text) == "+919812345670"


@pytest.mark.parametrize(
    "text", ["Mobile: 9812345670, 9876543210", "A1 9812345670", "Flat 12", "client:Asha", "Agent 47"]
)
def test_two_numbers_a_short_number_and_a_name_are_not_read_as_one_persons_number(text: str) -> None:
    assert not person_key(text).startswith("+")


@pytest.mark.parametrize("text", ["<tel:98123%2045670>", "<b>98123</b>45670", "<a href=tel:98123&nbsp;45670>"])
def test_a_number_in_or_between_angle_brackets_is_found(text: str) -> None:
    (found,) = Numbers([INDIAN_MOBILE.key]).find(text)
    assert found.digits == INDIAN_MOBILE.core
    assert [other.key for other in numbers_in(text)] == [INDIAN_MOBILE.key]


def test_a_row_of_backslashes_is_read_once() -> None:
    # Read from each of them it takes minutes.
    text = "\\" * 200_000 + "u0039812345670"
    assert not Numbers(["+919876543210"]).find(text)
    (found,) = Numbers([INDIAN_MOBILE.key]).find("\\" * 50_000 + "u00398123 45670")
    assert found.digits == INDIAN_MOBILE.core


def test_a_long_address_is_masked_without_being_read() -> None:
    assert masked("1" + "/" * 200_000 + "@10.20.30.40") == "•••••"
