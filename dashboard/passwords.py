"""Passwords: hashed, compared, and long enough. Knows no account."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST = 10
"""Letters. Length makes a password hard to guess, not signs that nobody remembers (NIST SP 800-63B, 3.1.1.2)."""
LONGEST = 1000

_hasher = PasswordHasher()


class BadPassword(ValueError):
    """A password that nobody should have; its text says what to do."""


def hash_password(password: str) -> str:
    """What is kept of a password. Takes a few hundredths of a second and 64 MiB. Raises BadPassword.

    Its Unicode normal form is NFC (NIST SP 800-63B, 3.1.1.2, asks for one form); every other character counts as typed.
    """
    if len(password) < SHORTEST:
        raise BadPassword(f"A password needs at least {SHORTEST} letters: a few words make one that can be remembered.")
    if len(password) > LONGEST:
        raise BadPassword(f"A password has at most {LONGEST} letters.")
    return _hasher.hash(unicodedata.normalize("NFC", password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed, in any Unicode normal form; without a hash it takes as long, and
    never is.

    Up to three checks, one after another: hashes of older versions are of the form that was typed then.
    """
    forms = dict.fromkeys((password, *(unicodedata.normalize(form, password) for form in ("NFC", "NFD"))))
    return any(_is_hashed(password_hash or _nobodys_hash(), form) for form in forms) and password_hash is not None


def _is_hashed(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with less work than today's: to be made anew when the password is next at hand."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe())
