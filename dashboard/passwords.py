"""Passwords: hashed, compared, and long enough. Knows no account."""

from __future__ import annotations

import secrets
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
    """What is kept of a password. Takes a few hundredths of a second and 64 MiB. Raises BadPassword."""
    if len(password) < SHORTEST:
        raise BadPassword(f"A password needs at least {SHORTEST} letters: a few words make one that can be remembered.")
    if len(password) > LONGEST:
        raise BadPassword(f"A password has at most {LONGEST} letters.")
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed; without a hash it takes as long, and never is."""
    try:
        _hasher.verify(password_hash or _nobodys_hash(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with less work than today's: to be made anew when the password is next at hand."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe())
