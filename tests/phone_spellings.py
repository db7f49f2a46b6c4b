"""Five people, each with every spelling of their number that a report, a sheet or a person may bring.

One table for whatever deals with numbers: leads, attempts, search, masks and erasure must agree on it. The region
is IN.
"""

from __future__ import annotations

from typing import NamedTuple


class Person(NamedTuple):
    """Whose number it is, and how it may be written."""

    key: str
    """what `person_key` gives for every spelling"""
    spellings: tuple[str | float, ...]
    """as `to` or `from` of a report: numbers are JSON numbers"""
    quoted: tuple[str, ...]
    """as a text may quote it: a transcript, a note, an address, JSON"""
    core: str
    """the digits, or the name, that nobody may read where numbers are hidden"""


INDIAN_MOBILE = Person(
    "+919812345670",
    (
        "919812345670",
        "+919812345670",
        "+91 98123 45670",
        "+91-98123-45670",
        "(+91) 98123.45670",
        "9812345670",
        "09812345670",
        "0 98123 45670",
        "00919812345670",
        "0091 98123 45670",
        919812345670,
        919812345670.0,
        "919812345670.0",
        "9.1981234567E+11",
        "9.19812345670e11",
        "919812345670x12",
        "+919812345670;ext=12",
        "+91 98123 45670 ext. 12",
        "tel:+91-98123-45670",
        "sip:+919812345670@10.20.30.40;user=phone",
        "९८१२३४५६७०",
        "+९१ ९८१२३ ४५६७०",
        "９８１２３４５６７０",
        "\u202a+91 98123 45670\u202c",
        "98123\u200b45670",
        "91-98123/45670",
        "9198123:45670",
        "919812_345670",
    ),
    (
        "9812345670",
        "91-98123/45670",
        "9198123:45670",
        "919812_345670",
        "98123%2045670",
        "%2B91%2098123%2045670",
        "98123\n45670",
        "98123\t45670",
        "[98123,45670]",
        "98123\\n45670",
        "98123&nbsp;45670",
        "९८१२३ ४५६७०",
        "9 8 1 2 3 4 5 6 7 0",
        "0091 (0) 98123 - 45670",
    ),
    "9812345670",
)
INDIAN_LANDLINE = Person(
    "+912226543210",
    (
        "912226543210",
        "+912226543210",
        "022 2654 3210",
        "02226543210",
        "0091-22-26543210",
        "+91 (22) 2654-3210",
        2226543210,
        "912226543210.0",
        "०२२ २६५४ ३२१०",
    ),
    ("022-2654 3210", "2226543210", "+91 22 2654 3210", "[22,2654,3210]"),
    "26543210",
)
UAE_MOBILE = Person(
    "+971501234567",
    (
        "+971501234567",
        "+971 50 123 4567",
        "00971501234567",
        "971501234567",
        971501234567,
        "971501234567.0",
        "+٩٧١٥٠١٢٣٤٥٦٧",
        "tel:+971-50-123-4567;ext=3",
    ),
    ("+971 50 123 4567", "971501234567", "00971-50-1234567", "971%2050%20123%204567"),
    "501234567",
)
SINGAPORE_MOBILE = Person(
    "+6591234568",
    ("+6591234568", "+65 9123 4568", "006591234568", "(+65) 9123-4568", "+６５９１２３４５６８"),
    ("+65 9123 4568", "0065 91234568"),
    "91234568",
)
SIP_NAME = Person(
    "sip:alice@10.20.30.40",
    (
        "sip:alice@10.20.30.40",
        "SIP:alice@10.20.30.40",
        "sip:alice@10.20.30.40:5060",
        "sip:alice@10.20.30.40;transport=udp",
        '"Alice" <sip:alice@10.20.30.40>;tag=17',
        "alice@10.20.30.40",
    ),
    ("sip:alice@10.20.30.40", "alice@10.20.30.40:5060"),
    "alice@10.20.30.40",
)
PEOPLE = (INDIAN_MOBILE, INDIAN_LANDLINE, UAE_MOBILE, SINGAPORE_MOBILE, SIP_NAME)

OTHERS: tuple[str | float, ...] = (
    "919812345671",
    "9812345679",
    "912226543211",
    "+971501234568",
    "+916591234568",
    "+19812345670",
    "sip:bob@10.20.30.40",
    "sip:alice@10.20.30.41",
    "10.20.30.40",
    "12345",
)
"""Nearly the same, and other people's, each of them another person."""

ANONYMOUS = (
    "",
    " ",
    "-",
    "anonymous",
    "Anonymous",
    "unknown",
    "Restricted",
    "private",
    "Private Number",
    "UNAVAILABLE",
    "withheld",
    "No Caller ID",
    "+266696687",
    "0000000000",
    "sip:anonymous@anonymous.invalid",
    '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=9',
    "sip:unavailable@unknown.invalid",
)
"""Callers who hide their number."""
