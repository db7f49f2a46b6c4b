"""A way out of the house that calls on checked addresses only, and tells in words what went wrong.

httpcore is driven directly: it takes the address in parts, so that no second parser reads it, and obeys no proxy
variables.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock

import httpcore

from dashboard.crew import Crew
from dashboard.links import Url
from dashboard.outside.addresses import address_objection, pair

with suppress(ImportError):
    # What httpcore waits with. Left to itself it is loaded in the midst of the first recording: the loop stood still
    # for half a second. It is anyio's own; should it move one day, that is all that happens.
    import_module("anyio._backends._asyncio")

# At DEBUG httpcore logs the headers of an answer and the address it calls on: both can hold a key.
logging.getLogger("httpcore").setLevel(logging.INFO)

CALLED_ON = 4  # of a host's addresses, one after the other

Resolve = Callable[[str, int], Awaitable[list[str]]]
# Threads of their own, left behind when a name server does not answer: in the loop's usual ones, of which a small
# machine has six, sign-in, call pages and large webhooks would wait behind them. Whoever asks gives up earlier.
_look_ups = Crew("names", 6, patience=15.0, start_over=lambda: None)


class Unreached(Exception):
    """No answer came, or none that was whole. The text may be shown: it names the host, and neither path nor query."""

    def __init__(self, why: str, *, unlisted: str = "") -> None:
        """`unlisted`: the host:port that a setting would have to name; without it another try ends the same way."""
        super().__init__(why)
        self.unlisted = unlisted


async def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of a host, the system's favourite first. Raises OSError or UnicodeError where there are none."""
    found = await _look_ups.do(functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that were checked, and only to those.

    The name is asked for once and the very address that passed is called on: asked again, a hostile name server would
    give another answer (DNS rebinding). Host header and TLS name stay the URL's, for they are made elsewhere.
    """

    def __init__(self, resolve: Resolve, allowed_hosts: Collection[str], setting: str) -> None:
        """`allowed_hosts` are exact host:port pairs that need not be public; `setting` is where they come from."""
        self.network = httpcore.AnyIOBackend()
        self.resolve = resolve
        self.allowed_hosts = allowed_hosts
        self.setting = setting

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked_addresses(host, port)
                share = None if timeout is None else timeout / len(addresses)
                problem: Exception | None = None
                for address in addresses:
                    try:
                        return await self.network.connect_tcp(address, port, share, local_address, socket_options)
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as refusal:
                        problem = refusal
                assert problem is not None
                raise problem
        except TimeoutError as late:
            raise httpcore.ConnectTimeout from late

    async def _checked_addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise Unreached(f"The name {host} is not known to the name servers. Check the address.")
        if objection := address_objection(host, port, addresses, self.allowed_hosts, self.setting):
            raise Unreached(objection, unlisted=pair(host, port))
        return addresses[:CALLED_ON]


@contextmanager
def told(url: Url, *, connect_seconds: float, silence_seconds: float) -> Iterator[None]:
    """Every failure on the way as an Unreached. Only the kind of exception counts: its text can quote the host."""
    try:
        yield
    except httpcore.ConnectTimeout:
        raise Unreached(f"{url.host} could not be reached within {connect_seconds:g} seconds.") from None
    except httpcore.ConnectError as problem:
        if isinstance(problem.__context__, ssl.SSLError):
            why = f"{url.host} offers no safe connection: its certificate or its TLS is not acceptable."
        else:
            why = f"{url.host} takes no connections on port {url.port}."
        raise Unreached(why) from None
    except httpcore.TimeoutException:
        raise Unreached(f"{url.host} was silent for {silence_seconds:g} seconds.") from None
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise Unreached(f"{url.host} broke off before its answer was whole.") from None


def in_parts(url: Url) -> httpcore.URL:
    """The address as httpcore takes it: given as text, it would be read with a parser of its own."""
    return httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)


def extensions(url: Url, *, connect_seconds: float, silence_seconds: float) -> dict[str, object]:
    """Time limits, and the name that TLS asks for."""
    silence = silence_seconds
    timeouts = {"connect": connect_seconds, "read": silence, "write": silence, "pool": silence}
    return {"timeout": timeouts, "sni_hostname": url.host}


def header(response: httpcore.Response, name: bytes) -> str:
    """The first header of that name, or "". Bytes that are not UTF-8 become surrogates, which parse_url() refuses."""
    values = (value for key, value in response.headers if key.lower() == name)
    return next(values, b"").decode("utf-8", "surrogateescape")


def all_headers(response: httpcore.Response, name: bytes) -> str:
    """All headers of that name, joined by commas as if they were one (RFC 9110 section 5.3)."""
    values = [value for key, value in response.headers if key.lower() == name]
    return b", ".join(values).decode("utf-8", "surrogateescape")


def usual_tls() -> ssl.SSLContext:
    """The system's authorities. Call it in a thread: reading the list of them takes up to 200 ms, once."""
    with _tls_lock:
        return _usual_tls()


# The first few who need it come together, and a cache alone would let each of them read the list.
_tls_lock = Lock()
_usual_tls = functools.cache(httpcore.default_ssl_context)
