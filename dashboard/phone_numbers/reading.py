"""Reads one telephone number or address: the key of its person, and how it is shown and masked.

`phonenumbers` (libphonenumber) is imported on first use: its import takes 55 ms, and a board whose numbers are all
plain Indian mobiles never needs it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from types import ModuleType
from urllib.parse import unquote

DEFAULT_REGION = "IN"
# A number in one of these forms is the common case: it is read without the library, a hundred times as fast.
_PLAIN_INDIAN = re.compile(r"(?:(?:\+|00)?91|0)?([6-9][0-9]{9})")
_PLAIN_ANYWHERE = re.compile(r"\+91[6-9][0-9]{9}")
_INDIAN_MOBILE_KEY = re.compile(r"\+91([6-9][0-9]{4})([0-9]{5})")
_KEYS_REMEMBERED = 20_000

_NO_PERSON = re.compile(
    r"(?:caller)?(?:anonymous|asserted|blocked|hidden|invalid|private|restricted|unavailable|unknown|withheld)"
    r"(?:caller|number)?|(?:caller|number)(?:unavailable|unknown|withheld)|no(?:callerid|id|number|ne)|idunavailable"
    r"|notavailable|outofarea|na|nan|nil|null|undefined|0*"
)
"""The words that replace a hidden caller's number: letters only, in lower case."""
# The same words typed on a keypad, as carriers send them: ANONYMOUS, BLOCKED, UNKNOWN, UNAVAILABLE. The platform leaves
# the plus out. RESTRICTED without it may be an Indian mobile.
_NO_PERSON_KEYPAD = frozenset({"266696687", "2562533", "8656696", "86282452253"})
_RESTRICTED = "+7378742833"
# What people and programs write before and after a number. A name is none: "Ravi 98…" is compared as a whole.
_LABEL_BEFORE = re.compile(
    r"(?:(?:tel|telephone|mob|mobile|cell|ph|phone|contact|whatsapp|wa|client|number|num|no|p"
    r"|फ़ोन|फोन|मोबाइल|नंबर)[ .:-]*)+(?=[+(\d])",
    re.IGNORECASE,
)
_LABEL_AFTER = re.compile(r"\s*[(\[][^\W\d_][^()\[\]\d]{0,30}[)\]]\s*\Z")

_IN_BRACKETS = re.compile(r"<([^<>]*[@0-9][^<>]*)>")
_ANY_SCHEME = re.compile(r"(?:sips?|tel):(?://)?", re.IGNORECASE)
_SCHEME = re.compile(r"(?:tel|callto|sms|whatsapp|phone):(?://)?", re.IGNORECASE)
_SIP = re.compile(r"(?:sips?:(?://)?)?(?P<user>[^@]+)@(?P<host>[^;?>\s]+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_SIP_HOST_ALONE = re.compile(r"sips?:(?://)?(?P<host>[^;?@\s]+)", re.IGNORECASE)
_DEFAULT_PORT = re.compile(r":506[01]$")
_CONTEXT = re.compile(r";\s*phone-context=(\+[0-9]+)", re.IGNORECASE)
_EXTENSION = re.compile(
    r"[\s,;/]*(?:;\s*ext\s*=|extension|extn?|x)[\s.:=-]*[0-9]{1,7}\s*$|;\s*(?!ext)[a-z-]+(?:=[^;]*)?$", re.IGNORECASE
)
_SECOND_PART = re.compile(r"(?<=[0-9])\s*[,;#~/]+\s*[0-9]{1,7}\W*$")
_FLOAT = re.compile(r"(\+?[0-9]+)\.0+")
_SCIENTIFIC = re.compile(r"\+?([1-9])(?:\.([0-9]+))?E\+?([0-9]{1,2})", re.IGNORECASE)
# A float drops the zeros at its end; a sheet that rounds drops six digits. Such a number would be another person's.
_MOST_ZEROS_DROPPED = 3
_LONGEST_NUMBER = 30
# Five digits are hidden at least: fewer would leave a number of eight digits a thousand candidates.
_FEWEST_SHOWN_IN_PART = 8
_MOST_STEPS = 5
LONGEST_KEY = 200
"""PostgreSQL refuses an index's entry over 2.7 kB: the report would never be stored."""
KEY_RULES = 2
"""Goes up when a number gets another key than before: the keys that are stored are then read again."""
_SHORTEST_INTERNATIONAL = 8


def person_key(text: str, region: str = DEFAULT_REGION) -> str:
    """The key of the person that a number or address belongs to: equal for every spelling, "" for no person.

    E.164 (`+919876543210`) for a telephone number, as libphonenumber reads it in the region (ISO 3166, "IN"). An
    extension is no part of it. Anything else is compared as a whole: a SIP address as `sip:user@host`, other digits
    as digits, other text in lower case. Anonymous callers give "". The key of a key is the key. Never raises.
    """
    if region == DEFAULT_REGION:
        if plain := _PLAIN_INDIAN.fullmatch(text):
            return f"+91{plain[1]}"
    elif _PLAIN_ANYWHERE.fullmatch(text):
        return text
    key = _read(text, region)[0]
    # An odd address such as "//1@host" is read in several steps. The key of a key must be the key.
    for _ in range(_MOST_STEPS):
        before, key = key, _read(key, region)[0]
        if key == before:
            break
    return key if len(key) <= LONGEST_KEY else f"sha256:{hashlib.sha256(key.encode(errors='replace')).hexdigest()}"


def display(text: str, region: str = DEFAULT_REGION) -> str:
    """How a number is shown: `+91 98765 43210`, with its extension; what is no telephone number, as it came."""
    key = person_key(text, region)
    if not is_number(key):
        return text.strip()
    if mobile := _INDIAN_MOBILE_KEY.fullmatch(key):
        shown = f"+91 {mobile[1]} {mobile[2]}"
    else:
        library = _library()
        shown = library.format_number(library.parse(key), library.PhoneNumberFormat.INTERNATIONAL)
    extension = "" if _is_plain(text) else _read(text, region)[1]
    return f"{shown} ext. {extension}" if extension else shown


def masked(text: str) -> str:
    """98•••••210: enough to recognise a known customer, too little to call them. An address shows nothing of itself."""
    if "@" in text:
        # Addresses of persons are shorter, and reading a long one takes time by the square of its length.
        text = person_key(text) if len(text) <= LONGEST_KEY else ""
        if not is_number(text):
            return "•••••"
    digits = digits_of(text)
    digits = digits[2:] if len(digits) == 12 and digits.startswith("91") else digits
    if len(digits) < _FEWEST_SHOWN_IN_PART:
        return "•" * len(digits)
    first = min(2, len(digits) - _FEWEST_SHOWN_IN_PART)
    return f"{digits[:first]}{'•' * (len(digits) - first - 3)}{digits[-3:]}"


def is_number(key: str) -> bool:
    """Whether a person's key is a telephone number in E.164, and no other address or text."""
    return key.startswith("+") and key[1:].isdecimal()


def digits_of(text: str) -> str:
    """The decimal digits of a text, of whatever script, as 0 to 9."""
    if text.isascii():
        return "".join(filter(str.isdigit, text))
    return "".join(str(unicodedata.decimal(letter)) for letter in text if letter.isdecimal())


def national_digits(key: str, region: str = DEFAULT_REGION) -> str:
    """The digits of a person's key, without the country's code where it is the region's."""
    code = f"+{_library().country_code_for_region(region)}"
    return digits_of(key.removeprefix(code))


def is_region(text: str) -> bool:
    """Whether libphonenumber has a telephone numbering plan of this region (ISO 3166, two capital letters)."""
    return text == DEFAULT_REGION or text in _library().SUPPORTED_REGIONS


def _is_plain(text: str) -> bool:
    return text.isascii() and text.lstrip("+").isdecimal()


def _library() -> ModuleType:
    import phonenumbers

    return phonenumbers


@lru_cache(_KEYS_REMEMBERED)
def _read(text: str, region: str) -> tuple[str, str]:
    """The key of the person, and the extension."""
    text = _cleaned(text)
    if bracketed := _IN_BRACKETS.search(text):
        text = bracketed[1].strip()
    if _is_no_person(text):
        return "", ""
    if "@" in text:
        return _read_sip(text, region), ""
    if host := _SIP_HOST_ALONE.fullmatch(text):
        number = _number(host["host"], region, "")
        return number if number and number[0].startswith("+") else (f"sip:{_host(host['host'])}", "")
    text = _unescaped(text)
    return (
        _number(_SCHEME.sub("", text, count=1), region, text)
        or _labelled(text, region)
        or (" ".join(text.casefold().split()), "")
    )


def _unescaped(text: str) -> str:
    """An address's escapes undone: the digits of %20 would count as digits of the number."""
    return _cleaned(unquote(text)) if "%" in text else text


def _without_label(text: str) -> str:
    label = _LABEL_BEFORE.match(text)
    return text[label.end() :] if label else text


def _labelled(text: str, region: str) -> tuple[str, str] | None:
    """What one number with a word before or after it is; None where it is no valid number by itself."""
    rest = _LABEL_AFTER.sub("", _without_label(text))
    found = _number(rest, region, rest) if rest != text else None
    return found if found and found[0].startswith("+") and _is_valid(found[0]) else None


def _cleaned(text: str) -> str:
    """In one form of Unicode, with 0 to 9 for all digits, and without invisible characters."""
    text = unicodedata.normalize("NFKC", text)
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = (letter for letter in text if unicodedata.category(letter) not in ("Cf", "Cc") or letter.isspace())
    return "".join(digits_of(letter) if letter.isdecimal() else letter for letter in kept).strip()


def _is_no_person(text: str) -> bool:
    user, _, host = text.partition("@")
    letters = "".join(filter(str.isalnum, _ANY_SCHEME.sub("", user, count=1).casefold()))
    # A SIP client that hides its caller invents the host, too (RFC 3323).
    is_invented = host.partition(";")[0].partition(":")[0].casefold().endswith(".invalid")
    is_keyed = text == _RESTRICTED or (not host and text.lstrip("+") in _NO_PERSON_KEYPAD)
    return bool(_NO_PERSON.fullmatch(letters)) or is_keyed or is_invented


def _read_sip(text: str, region: str) -> str:
    """`sip:user@host`, or the person of the number that the user's part is."""
    found = _SIP.fullmatch(text)
    if not found:
        return " ".join(text.casefold().split())
    user = unquote(found["user"]).strip()
    user = user if _SCHEME.match(user) else user.partition(":")[0]  # what follows a colon is a password
    is_number = "user=phone" in found["rest"].casefold() or user.startswith("+")
    number = _number(_SCHEME.sub("", user, count=1), region, "")
    if number and number[0].startswith("+") and (is_number or _is_valid(number[0])):
        return number[0]
    name, host = user.partition(";")[0].strip(), _host(found["host"])
    # Without a name or a host, as in ":1@host", it is an address of no known kind, and is compared as its whole text.
    if not (name and host):
        return " ".join(text.casefold().split())
    key = f"sip:{name}@{host}"
    return "" if _is_no_person(key) else key


def _host(text: str) -> str:
    return _DEFAULT_PORT.sub("", text.casefold().rstrip("."))


def _number(text: str, region: str, whole: str) -> tuple[str, str] | None:
    """What a text is as a number: its key and extension; None where letters or too many signs are in it."""
    context = _CONTEXT.search(text)
    rest, extension = _CONTEXT.sub("", text), ""
    while found := _EXTENSION.search(rest):
        rest, extension = rest[: found.start()], digits_of(found[0]) or extension
    rest = _written_out(rest)
    if any(map(str.isalpha, rest)) or _is_ip_address(rest) or not any(map(str.isdigit, rest)):
        return None
    if context and "+" not in rest:
        rest = f"{context[1]} {rest}"
    second = _SECOND_PART.search(rest)
    spellings = [(rest, extension)]
    if second:
        spellings.append((rest[: second.start()], digits_of(second[0])))
    for read in (_in_region, _without_its_plus, _possible):
        for spelling, its_extension in spellings:
            if key := read(spelling, region):
                return key, its_extension
    digits = digits_of(rest)
    return ("", "") if not digits.strip("0") else (digits, extension)


def _written_out(text: str) -> str:
    """A number that a sheet or a program wrote as a float, as digits; rounded ones stay as they are."""
    text = text.strip()
    if found := _FLOAT.fullmatch(text):
        return found[1]
    if found := _SCIENTIFIC.fullmatch(text):
        mantissa = (found[1] + (found[2] or "")).rstrip("0") if found[2] else found[1]
        written = len(found[1] + (found[2] or ""))
        exponent = int(found[3])
        if len(mantissa) <= exponent + 1 <= min(written + _MOST_ZEROS_DROPPED, _LONGEST_NUMBER):
            return f"{Decimal(text):f}".partition(".")[0]
    return text


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return not text.isdigit()


def _in_region(text: str, region: str) -> str:
    """The key of a number that is valid in the region, or as long as its landlines and mobiles are."""
    number, library = _parsed(text, region), _library()
    if number is None:
        return ""
    line = library.PhoneNumberType.FIXED_LINE_OR_MOBILE
    is_long_enough = library.is_possible_number_for_type_with_reason(number, line) == _possible_reason()
    return _e164(number) if is_long_enough or library.is_valid_number(number) else ""


def _without_its_plus(text: str, region: str) -> str:
    """The key of a valid number of any country, written as CallKaro writes numbers: with its code, without a plus."""
    digits = digits_of(text)
    significant = digits.lstrip("0")
    if (_has_plus(text) and significant == digits) or len(significant) < _SHORTEST_INTERNATIONAL:
        return ""
    number = _parsed(f"+{significant}", region)
    return _e164(number) if number is not None and _library().is_valid_number(number) else ""


def _possible(text: str, region: str) -> str:
    """The key of a number that is possible in the region: of some length that its plan has for anything."""
    number = _parsed(text, region)
    is_possible = number is not None and _library().is_possible_number_with_reason(number) == _possible_reason()
    return _e164(number) if is_possible else ""


def _has_plus(text: str) -> bool:
    return "+" in text.partition(digits_of(text)[:1])[0]


def _parsed(text: str, region: str) -> object | None:
    """What the library makes of the digits and the plus alone: it would cut a text at some separators."""
    digits = digits_of(text)
    if len(digits) > _LONGEST_NUMBER:
        return None
    library = _library()
    try:
        number: object = library.parse(f"+{digits}" if _has_plus(text) else digits, region)
    except library.NumberParseException:
        return None
    return number


def _e164(number: object) -> str:
    library = _library()
    key: str = library.format_number(number, library.PhoneNumberFormat.E164)
    return key


def _possible_reason() -> object:
    return _library().ValidationResult.IS_POSSIBLE


def _is_valid(key: str) -> bool:
    number = _parsed(key, DEFAULT_REGION)
    return number is not None and bool(_library().is_valid_number(number))
