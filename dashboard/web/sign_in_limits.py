"""How many passwords are checked: by client address, by name and by browser; one object of each app.

A wrong password counts for the client's networks and for the name. Guesses from everywhere can use up the limit of a
name, so its owner has two ways in that others cannot close:

- A browser or an address that the account has signed in with before has a limit of its own, and no other limit applies.
- Networks that have sent fewer than FIRST_TRIES wrong passwords for that name within a day share a second, larger limit
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
    """A key of the browser, session or address that is known to belong to the account; "" for any other."""


class SignInLimits:
    """The limits of one app. Each `most` is a number of wrong passwords within a minute."""

    def __init__(
        self,
        *,
        by_client: int = MOST_BY_CLIENT,
        by_name: int = MOST_BY_NAME,
        by_name_of_new_networks: int = MOST_BY_NAME_OF_NEW_NETWORKS,
    ) -> None:
        self.checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
        """Taken for every hash of a password, also a new one's."""
        # One of the places stays free for those who are known, however many others wait.
        self._checks_of_others = asyncio.Semaphore(_CHECKS_AT_ONCE - 1)
        self._by_client = NetworkSlowdown(most=by_client, seconds=_MINUTE)
        self._by_known = Slowdown(most=by_client, seconds=_MINUTE)
        # In tables of their own: made-up names cannot push the counts of accounts out.
        self._by_account = _NameLimit(by_name, by_name_of_new_networks)
        self._by_unknown_name = _NameLimit(by_name, by_name_of_new_networks)

    def is_over(self, attempt: Attempt) -> bool:
        """Whether this password must not be looked at; counts nothing."""
        if attempt.known_as:
            return self._by_known.is_over(attempt.known_as)
        return self._by_client.is_over(attempt.client) or self._names(attempt).is_over(*_keys(attempt))

    def count_wrong(self, attempt: Attempt) -> None:
        if attempt.known_as:
            self._by_known.is_too_much(attempt.known_as)
            return
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
