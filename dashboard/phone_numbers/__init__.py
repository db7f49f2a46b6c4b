"""Telephone numbers and SIP addresses: read, compared, shown, masked, and found in text. Pure; knows no table."""

from dashboard.phone_numbers.finding import WIDEST_GAP, Found, Numbers, digit_runs, mentions, numbers_in
from dashboard.phone_numbers.reading import (
    DEFAULT_REGION,
    KEY_RULES,
    digits_of,
    display,
    is_number,
    is_region,
    masked,
    national_digits,
    person_key,
)

__all__ = [
    "DEFAULT_REGION",
    "KEY_RULES",
    "WIDEST_GAP",
    "Found",
    "Numbers",
    "digit_runs",
    "digits_of",
    "display",
    "is_number",
    "is_region",
    "masked",
    "mentions",
    "national_digits",
    "numbers_in",
    "person_key",
]
