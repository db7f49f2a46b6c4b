"""How many passwords are checked: by client address, by name and by browser; one object of each app.

A wrong password counts for the client's networks and for the name. Guesses from everywhere can use up the limit of a
name, so its owner has ways in that others cannot close:

- A browser that the account has signed in with before has a limit of its own, and no other limit applies.
- At an address that an account has signed in from, passwords are looked at beyond the other limits, up to a number for
  each name and a larger one for the address. Beyond the other limits only accounts that have signed in from there get
  in, and every other answer is that there were too many wrong passwords: it tells nothing about a name.

Networks that have sent fewer than FIRST_TRIES wrong passwords for that name within a day share a second, larger limit
for it. Each attacking network uses its few tries up once a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from dashboard.web.client_address import Client
from dashboard.web.slowdown import NetworkSlowdown, Slowdown

MOST_BY_CLIENT = 10
MOST_BY_KNOWN_ADDRESS = 4 * MOST_BY_CLIENT
"""All people of an office or of a carrier's gateway share one address."""
MOST_BY_NAME = 60
MOST_BY_NAME_OF_NEW_NETWORKS = 4 * MOST_BY_NAME
FIRST_TRIES = 3
_MINUTE, _DAY = 60.0, 86_400.0
# Each check takes 64 MiB: a hundred at once would take 6 GB.
_CHECKS_AT_ONCE = 2


class Attempt(NamedTuple):
    """Who sends a password for which name. `account` is None where no account has the name."""

    client: Client
    name: str
    account: int | None = None
    known_as: str = ""
    """A key of the browser or session that is known to belong to the account; "" for any other."""
    is_own_address: bool = False
    """Whether this account has signed in from the client's address."""
    is_known_address: bool = False
    """Whether any account has."""


class SignInLimits:
    """The limits of one app. Each `most` is a number of wrong passwords within a minute."""

    def __init__(
        self,
        *,
        by_client: int = MOST_BY_CLIENT,
        by_known_address: int = MOST_BY_KNOWN_ADDRESS,
        by_name: int = MOST_BY_NAME,
        by_name_of_new_networks: int = MOST_BY_NAME_OF_NEW_NETWORKS,
    ) -> None:
        self.checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
        """Taken for every hash of a password, also a new one's."""
        # One of the places stays free for known browsers, however many others wait.
        self._checks_of_others = asyncio.Semaphore(_CHECKS_AT_ONCE - 1)
        self._by_client = NetworkSlowdown(most=by_client, seconds=_MINUTE)
        self._by_known = Slowdown(most=by_client, seconds=_MINUTE)
        self._by_known_address = Slowdown(most=by_known_address, seconds=_MINUTE)
        self._by_name_at_address = Slowdown(most=by_client, seconds=_MINUTE)
        # In tables of their own: made-up names cannot push the counts of accounts out.
        self._by_account = _NameLimit(by_name, by_name_of_new_networks)
        self._by_unknown_name = _NameLimit(by_name, by_name_of_new_networks)

    def is_over(self, attempt: Attempt) -> bool:
        """Whether this password must not be looked at; counts nothing."""
        if attempt.known_as:
            return self._by_known.is_over(attempt.known_as)
        if not attempt.is_known_address:
            return self._is_over_for_strangers(attempt)
        address, name = _keys_at_address(attempt)
        return self._by_known_address.is_over(address) or self._by_name_at_address.is_over(name)

    def is_slowed(self, attempt: Attempt) -> bool:
        """Whether only an account that has signed in from this address gets in, and a wrong password is too many."""
        return not attempt.known_as and self._is_over_for_strangers(attempt)

    def count_wrong(self, attempt: Attempt) -> None:
        if attempt.known_as:
            self._by_known.is_too_much(attempt.known_as)
            return
        if attempt.is_known_address:
            address, name = _keys_at_address(attempt)
            self._by_known_address.is_too_much(address)
            self._by_name_at_address.is_too_much(name)
        # Also where the account has signed in from there: otherwise the limit of the client would tell that it has.
        self._by_client.is_too_much(attempt.client)
        self._names(attempt).count(*_keys(attempt))

    @asynccontextmanager
    async def turn(self, attempt: Attempt) -> AsyncIterator[None]:
        """Waits until this password may be checked."""
        if attempt.known_as:
            async with self.checks:
                yield
            return
        async with self._checks_of_others, self.checks:
            yield

    def _is_over_for_strangers(self, attempt: Attempt) -> bool:
        return self._by_client.is_over(attempt.client) or self._names(attempt).is_over(*_keys(attempt))

    def _names(self, attempt: Attempt) -> _NameLimit:
        return self._by_unknown_name if attempt.account is None else self._by_account


class _NameLimit:
    """The limits by name: one for all networks, and a second one for networks that have hardly guessed at the name."""

    def __init__(self, most: int, most_of_new_networks: int) -> None:
        self._all = Slowdown(most=most, seconds=_MINUTE)
        self._first = Slowdown(most=most_of_new_networks, seconds=_MINUTE)
        self._networks = Slowdown(most=FIRST_TRIES, seconds=_DAY)

    def is_over(self, name: str, network: str) -> bool:
        if not self._all.is_over(name):
            return False
        return self._first.is_over(name) or self._networks.is_over(f"{network} {name}")

    def count(self, name: str, network: str) -> None:
        (self._first if self._all.is_over(name) else self._all).is_too_much(name)
        self._networks.is_too_much(f"{network} {name}")


def _keys(attempt: Attempt) -> tuple[str, str]:
    name = attempt.name if attempt.account is None else str(attempt.account)
    return name, attempt.client.widest_network


def _keys_at_address(attempt: Attempt) -> tuple[str, str]:
    address = attempt.client.own_network
    return address, f"{address} {attempt.name}"
