"""Recordings from hosts that serve well, badly or with intent: real sockets, and a canary that must hear nothing."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import AsyncIterator, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.outside import client
from dashboard.outside.addresses import address_objection, is_listed, is_public, port_objection
from dashboard.outside.client import Resolve, resolve_host, usual_tls
from dashboard.recordings.decoder import Decoder
from dashboard.recordings.fetch import SETTING, Limits, fetch_recording
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import Access, Failed, Fetched, Outcome, Refused
from tests.recording_host import (
    CERTIFICATE,
    KEY,
    MP3,
    Answer,
    RecordingHost,
    audio,
    falls_silent,
    head,
    never_ends,
    redirect,
    sends,
    status,
    wav,
)

PUBLIC = "93.184.215.14"


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    return Keep(tmp_path / "recordings", low_water=0)


@pytest.fixture
async def host() -> AsyncIterator[RecordingHost]:
    async with RecordingHost() as host:
        yield host


@pytest.fixture
async def canary() -> AsyncIterator[RecordingHost]:
    """The service inside that nobody may reach through us. It would answer with a fine recording."""
    async with RecordingHost({"/": audio(), "/a.mp3": audio(), "/latest/meta-data": audio()}) as canary:
        yield canary


def names(**answers: str) -> Resolve:
    """A name server that knows these names (`_` for a dot); numbers and localhost are the system's affair."""

    async def resolve(host: str, port: int) -> list[str]:
        if known := answers.get(host.replace(".", "_")):
            return known.split()
        return await resolve_host(host, port)

    return resolve


async def fetch(
    url: str, *, allowed_hosts: Collection[str], into: Keep, max_bytes: int = 2**20, **rest: Any
) -> Outcome:
    """One recording, with a decoding process that ends with it."""
    decoder = Decoder()
    try:
        access = Access(tuple(allowed_hosts), max_bytes=max_bytes)
        return await fetch_recording(url, access=access, into=into, decoder=decoder, **rest)
    finally:
        await decoder.close()


async def fetch_from(
    host: RecordingHost, answer: Answer, keep: Keep, limits: Limits | None = None, max_bytes: int = 2**20
) -> Outcome:
    host.answers["/a.mp3"] = answer
    url = host.url("/a.mp3?signature=secret")
    return await fetch(url, allowed_hosts=[host.pair], into=keep, max_bytes=max_bytes, limits=limits)


def words_of(outcome: Outcome) -> str:
    """What people are shown of a recording that was not kept."""
    assert not isinstance(outcome, Fetched)
    return outcome.why


def kept_files(keep: Keep) -> int:
    return sum(path.is_file() for path in keep.folder.rglob("*"))


# --- what is public


SOMEWHERE_INSIDE = (
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2002:808:808::", "3fff::1"),
    *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1", "ff02::1"),
    *("", "localhost", "127.1", "8.8.8.8 ", "8.8.8.8:80", "not an address"),
)


@pytest.mark.parametrize("address", SOMEWHERE_INSIDE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", PUBLIC, "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private(address: IPv4Address | IPv6Address) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_inner_address_is_not_public_in_any_ipv6_dress(inner: IPv4Address) -> None:
    number = int(inner)
    dresses = {
        "mapped": 0xFFFF << 32 | number,
        "compatible": number,
        "translated": 0xFFFF << 48 | number,
        "6to4": 0x2002 << 112 | number << 80,
        "teredo": 0x20010000 << 96 | number ^ 0xFFFFFFFF,
        "local nat64": 0x64FF9B0001 << 80 | number,
    }
    for dress, dressed in dresses.items():
        assert not is_public(str(IPv6Address(dressed))), dress
    nat64 = IPv6Address((0x64FF9B << 96) | number)
    assert is_public(str(nat64)) == is_public(str(inner))


@given(st.lists(st.sampled_from([PUBLIC, "8.8.8.8", "127.0.0.1", "::1", "10.0.0.1"]), min_size=1))
def test_one_inner_address_condemns_a_name(addresses: list[str]) -> None:
    refused = address_objection("recordings.example", 80, addresses, (), SETTING) is not None
    assert refused == any(not ip_address(address).is_global for address in addresses)


def test_only_the_exact_pair_is_let_through() -> None:
    allowed = ("localhost:9000", "[::1]:9000", "Minio.lan:80")
    assert is_listed("localhost", 9000, allowed)
    assert is_listed("::1", 9000, allowed)
    assert is_listed("minio.lan", 80, allowed)
    for host, port in [("localhost", 9001), ("127.0.0.1", 9000), ("sub.localhost", 9000), ("minio.lan", 443)]:
        assert not is_listed(host, port, allowed)


def test_other_ports_need_to_be_listed_and_the_refusal_says_how() -> None:
    for port in (80, 443):
        assert port_objection("recordings.example", port, (), SETTING) is None
    assert port_objection("recordings.example", 6379, ["recordings.example:6379"], SETTING) is None
    assert port_objection("recordings.example", 6379, (), SETTING) == (
        "Port 6379 of recordings.example is not called on: only ports 80 and 443 are. If this host is meant, add "
        "recordings.example:6379 to DASHBOARD_RECORDING_HOSTS."
    )


def test_an_inner_address_is_refused_in_a_sentence_that_does_not_tell_it() -> None:
    assert address_objection("minio.lan", 443, ["10.0.0.7"], (), SETTING) == (
        "minio.lan is not on the public internet, and nothing inside a network is called on. If this host is meant, "
        "add minio.lan:443 to DASHBOARD_RECORDING_HOSTS."
    )


# --- recordings that arrive


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        (MP3, "audio/mpeg", "audio/mpeg"),
        (wav(), "application/octet-stream", "audio/wav"),
        (MP3, "text/html", "audio/mpeg"),
    ],
)
async def test_a_recording_is_kept_with_the_type_that_its_bytes_say(
    host: RecordingHost, keep: Keep, body: bytes, content_type: str, found: str
) -> None:
    fetched = await fetch_from(host, audio(body, content_type), keep)
    assert isinstance(fetched, Fetched)
    assert (fetched.size, fetched.type) == (len(body), found)
    assert keep.path(fetched.name).read_bytes() == body


async def test_a_recording_in_many_small_chunks_is_put_together(host: RecordingHost, keep: Keep) -> None:
    body = wav(seconds=2)
    pieces = [b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7)]
    fetched = await fetch_from(host, sends(head(Transfer_Encoding="chunked"), *pieces, b"0\r\n\r\n"), keep)
    assert isinstance(fetched, Fetched)
    assert keep.path(fetched.name).read_bytes() == body


async def test_a_recording_without_a_length_ends_with_the_connection(host: RecordingHost, keep: Keep) -> None:
    assert isinstance(await fetch_from(host, sends(head(), MP3), keep), Fetched)


async def test_a_recording_larger_than_one_piece_arrives_whole(host: RecordingHost, keep: Keep) -> None:
    body = MP3 * 300
    fetched = await fetch_from(host, audio(body), keep)
    assert isinstance(fetched, Fetched)
    assert keep.path(fetched.name).read_bytes() == body


async def test_the_query_of_a_signed_address_arrives_as_it_was_written(host: RecordingHost, keep: Keep) -> None:
    host.answers["/call%20one/%2F.mp3"] = audio()
    url = host.url("/call one/%2F.mp3?X-Sig=a%2Fb%3D%3D+c&d#t=3")
    assert isinstance(await fetch(url, allowed_hosts=[host.pair], into=keep), Fetched)
    assert host.requests[0].target == "/call%20one/%2F.mp3?X-Sig=a%2Fb%3D%3D+c&d"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(host: RecordingHost, keep: Keep, code: int) -> None:
    host.answers["/there.mp3"] = audio()
    assert isinstance(await fetch_from(host, redirect("/there.mp3", code), keep), Fetched)


async def test_nothing_about_us_is_told_but_our_name(host: RecordingHost, keep: Keep) -> None:
    await fetch_from(host, audio(), keep)
    assert set(host.requests[0].headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


# --- recordings that do not, and whether another try may help


AVERAGE = Limits(silence_seconds=0.2, total_seconds=5)
FAULTS: dict[str, tuple[Answer, type[Refused | Failed], str]] = {
    "a missing recording": (status(404), Failed, "does not have the recording (404). It may appear later"),
    "a deleted recording": (status(410), Refused, "gone for good"),
    "a forbidden recording": (status(403), Failed, "does not give the recording without permission (403)"),
    "a broken server": (status(500), Failed, "answered 500"),
    "a part nobody asked for": (sends(head(206, Content_Length=len(MP3)), MP3), Failed, "answered 206"),
    "no content": (sends(head(204)), Failed, "answered 204"),
    "an empty recording": (audio(b""), Failed, "empty recording"),
    "a page posing as audio": (audio(b"<html>Please sign in</html>"), Failed, "sent a web page instead"),
    "an answer in JSON": (audio(b' {"status": "processing"}'), Failed, "sent JSON instead of a recording"),
    "a very short text": (audio(b"no"), Failed, "sent text instead of a recording"),
    "bytes that are no audio": (audio(bytes(range(256)) * 40), Failed, "cannot be decoded as audio"),
    "a length over the limit": (audio(length=20_001), Refused, "larger than"),
    "an absurd length": (audio(length=10**19), Refused, "larger than"),
    "an endless recording": (never_ends(head(), MP3), Refused, "larger than"),
    "an endless chunked one": (
        never_ends(head(Transfer_Encoding="chunked"), b"4\r\nOgg\0\r\n"),
        Refused,
        "larger than",
    ),
    "a chunked body cut off": (sends(head(Transfer_Encoding="chunked"), b"1000\r\n", bytes(99)), Failed, "broke off"),
    "no answer at all": (sends(), Failed, "broke off"),
    "not HTTP": (sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Failed, "broke off"),
    "endless headers": (never_ends(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"m" * 4000 + b"\r\n"), Failed, "broke off"),
    "a slow first byte": (falls_silent(), Failed, "silent for 0.2 seconds"),
    "headers and then nothing": (falls_silent(head()), Failed, "silent for 0.2 seconds"),
    "a body that stops": (falls_silent(head(Content_Length=len(MP3)), bytes(500)), Failed, "silent for 0.2 seconds"),
    "a circle of redirects": (redirect("/a.mp3?signature=secret"), Failed, "led on more than 5 times"),
    "a redirect to nowhere": (sends(head(302, Content_Length=0)), Failed, "led on more than 5 times"),
    "a redirect to a file": (redirect("file:///etc/passwd"), Failed, "led on"),
    "a redirect that is no URL": (redirect("http://[broken"), Failed, "led on"),
    "a redirect in no encoding": (sends(b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\n\r\n"), Failed, "led on"),
    "a redirect to no address": (sends(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n"), Failed, "led on"),
    "a redirect to another protocol": (
        sends(b"HTTP/1.1 302 Found\r\nLocation: ftp://a.example/\r\n\r\n"),
        Failed,
        "led on",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_host_is_told_in_words_and_nothing_is_kept(
    host: RecordingHost, keep: Keep, fault: str
) -> None:
    answer, kind, words = FAULTS[fault]
    outcome = await fetch_from(host, answer, keep, AVERAGE, max_bytes=20_000)
    assert isinstance(outcome, kind)
    assert words in outcome.why
    assert "secret" not in outcome.why
    assert "a.mp3" not in outcome.why
    assert kept_files(keep) == 0


async def test_a_length_that_is_too_small_ends_the_recording_there(host: RecordingHost, keep: Keep) -> None:
    fetched = await fetch_from(host, audio(length=1000), keep)
    assert isinstance(fetched, Fetched)
    assert fetched.size == 1000


async def test_thirty_redirects_are_followed_five_times(host: RecordingHost, keep: Keep) -> None:
    host.answers |= {f"/{n}": redirect(f"/{n + 1}") for n in range(30)} | {"/30": audio()}
    outcome = await fetch(host.url("/0"), allowed_hosts=[host.pair], into=keep)
    assert (type(outcome), words_of(outcome)) == (
        Failed,
        "The recording's address led on more than 5 times. Check it in a browser.",
    )
    assert [request.target for request in host.requests] == [f"/{n}" for n in range(6)]


async def test_a_recording_that_drips_is_kept_as_far_as_it_came_in_the_total_time(
    host: RecordingHost, keep: Keep
) -> None:
    drip = never_ends(head() + MP3, b"\x00", pause=0.01)
    outcome = await fetch_from(host, drip, keep, Limits(total_seconds=0.3))
    assert isinstance(outcome, Fetched)
    assert outcome.cut_off == "The recording did not arrive whole within 0.3 seconds."
    assert keep.path(outcome.name).read_bytes().startswith(MP3)


@pytest.mark.parametrize(
    "answer",
    [
        audio(length=len(MP3) + 1),
        sends(head(Transfer_Encoding="chunked"), b"1000\r\n", MP3),
        falls_silent(head(Content_Length=len(MP3) + 1), MP3),
    ],
    ids=["shorter than announced", "chunked", "silent"],
)
async def test_a_recording_that_breaks_off_is_kept_as_far_as_it_came(
    host: RecordingHost, keep: Keep, answer: Answer
) -> None:
    outcome = await fetch_from(host, answer, keep, AVERAGE)
    assert isinstance(outcome, Fetched)
    assert outcome.cut_off in (
        "127.0.0.1 broke off before its answer was whole.",
        "127.0.0.1 was silent for 0.2 seconds.",
    )
    assert keep.path(outcome.name).read_bytes() == MP3


async def test_headers_that_drip_are_cut_off_after_the_total_time(host: RecordingHost, keep: Keep) -> None:
    outcome = await fetch_from(
        host, never_ends(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause=0.01), keep, Limits(total_seconds=0.3)
    )
    assert (type(outcome), words_of(outcome)) == (Failed, "The recording did not arrive whole within 0.3 seconds.")


async def test_a_closed_port_is_worth_another_try(keep: Keep) -> None:
    async with RecordingHost() as gone:
        pass
    outcome = await fetch(gone.url("/a.mp3"), allowed_hosts=[gone.pair], into=keep)
    assert (type(outcome), words_of(outcome)) == (Failed, f"127.0.0.1 takes no connections on port {gone.port}.")


async def test_an_unknown_name_is_worth_another_try(keep: Keep) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    outcome = await fetch("https://no.example/", allowed_hosts=[], into=keep, resolve=unknown)
    assert isinstance(outcome, Failed)
    assert outcome.why.startswith("The name no.example is not known")


async def test_a_name_server_that_never_answers_is_cut_off(keep: Keep) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    limits = Limits(connect_seconds=0.1)
    outcome = await fetch("https://slow.example/", allowed_hosts=[], into=keep, limits=limits, resolve=never)
    assert (type(outcome), words_of(outcome)) == (Failed, "slow.example could not be reached within 0.1 seconds.")


async def test_a_dead_address_of_a_host_does_not_hide_the_living_one(host: RecordingHost, keep: Keep) -> None:
    host.answers["/a.mp3"] = audio()
    both = names(recordings_example="127.99.99.99 127.0.0.1")
    pair = f"recordings.example:{host.port}"
    outcome = await fetch(f"http://{pair}/a.mp3", allowed_hosts=[pair], into=keep, resolve=both)
    assert isinstance(outcome, Fetched)


async def test_an_address_that_never_answers_leaves_time_for_the_next(
    host: RecordingHost, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = httpcore.AnyIOBackend.connect_tcp

    async def swallow(
        self: httpcore.AnyIOBackend, address: str, port: int, share: float, *rest: Any
    ) -> httpcore.AsyncNetworkStream:
        if address == PUBLIC:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), share)
            raise httpcore.ConnectTimeout
        return await connect(self, address, port, share, *rest)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", swallow)
    host.answers["/a.mp3"] = audio()
    both = names(recordings_example=f"{PUBLIC} 127.0.0.1")
    pair, limits = f"recordings.example:{host.port}", Limits(connect_seconds=1)
    outcome = await fetch(f"http://{pair}/a.mp3", allowed_hosts=[pair], into=keep, limits=limits, resolve=both)
    assert isinstance(outcome, Fetched)


async def test_a_low_disk_asks_no_host_and_may_be_tried_again(host: RecordingHost, tmp_path: Path) -> None:
    outcome = await fetch_from(host, audio(), Keep(tmp_path, low_water=2**62))
    assert isinstance(outcome, Failed)
    assert "kept free for reports" in outcome.why
    assert host.connections == 0


async def test_a_disk_that_refuses_to_be_written_is_told(host: RecordingHost, keep: Keep) -> None:
    keep.folder.rmdir()
    outcome = await fetch_from(host, audio(), keep)
    assert isinstance(outcome, Failed)
    assert outcome.why.startswith("The recording could not be written: No such file or directory.")


async def test_the_log_holds_no_address_even_when_everything_is_logged(
    host: RecordingHost, keep: Keep, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host.answers["/b.mp3"] = audio()
    await fetch_from(host, redirect("/b.mp3?signature=secret"), keep)
    assert len(host.requests) == 2
    assert "secret" not in caplog.text


# --- the name in TLS


def tls_pair(heard: list[str | None]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.sni_callback = lambda _, name, __: heard.append(name)
    return server, ssl.create_default_context(cadata=CERTIFICATE)


@pytest.fixture
async def tls_host(tmp_path: Path) -> AsyncIterator[tuple[RecordingHost, ssl.SSLContext, list[str | None]]]:
    (tmp_path / "both.pem").write_text(CERTIFICATE + KEY)
    heard: list[str | None] = []
    server, client = tls_pair(heard)
    server.load_cert_chain(tmp_path / "both.pem")
    async with RecordingHost({"/a.mp3": audio()}, tls=server) as host:
        yield host, client, heard


async def test_the_checked_address_is_called_under_the_name_of_the_url(
    tls_host: tuple[RecordingHost, ssl.SSLContext, list[str | None]], keep: Keep
) -> None:
    host, tls, heard = tls_host
    pair = f"recordings.example:{host.port}"
    there = names(recordings_example="127.0.0.1")
    outcome = await fetch(f"https://{pair}/a.mp3", allowed_hosts=[pair], into=keep, resolve=there, tls=tls)
    assert isinstance(outcome, Fetched)
    assert heard == ["recordings.example"]
    assert host.requests[0].headers["host"] == pair


async def test_a_certificate_of_another_name_is_not_accepted(
    tls_host: tuple[RecordingHost, ssl.SSLContext, list[str | None]], keep: Keep
) -> None:
    host, tls, _ = tls_host
    pair = f"other.example:{host.port}"
    there = names(other_example="127.0.0.1")
    outcome = await fetch(f"https://{pair}/a.mp3", allowed_hosts=[pair], into=keep, resolve=there, tls=tls)
    assert (type(outcome), words_of(outcome)) == (
        Failed,
        "other.example offers no safe connection: its certificate or its TLS is not acceptable.",
    )
    assert host.requests == []


# --- the canary: nothing inside is ever called


DISGUISES = (
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "0X7F000001",
        "2130706433",
        "017700000001",
    ),
    *("0177.0.0.1", "127.0.0.01", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "0.0.0.0", "0", "127.0.0.2"),
    *(
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ),
    *("[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[fe80::1%25lo]", "[0:0:0:0:0:0:0:1]", "[::0001]"),
    *(
        "\u2460\u2461\u2466.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "loc\u00adalhost",
        "\u24c1ocalhost",
    ),
    *(
        "inside.example",
        "both.example",
        "six.example",
        "nat64.example",
        "good.example@127.0.0.1",
        "127.0.0.1#@good.example",
    ),
    *(
        "127.0.0.1\\@good.example",
        "good.example\\@127.0.0.1",
        "127.0.0.1\t",
        "127.0.0.1%00",
        "127.0.0.1%2egood.example",
    ),
)
SHAPES = (
    *("http://{host}:{port}/a.mp3", "https://{host}:{port}/a.mp3", "HTTP://{host}:{port}/latest/meta-data"),
    *(
        "http://{host}:0{port}/?url=https://good.example/a.mp3",
        " http://{host}:{port}/a.mp3",
        "http:\\\\{host}:{port}/a.mp3",
    ),
    *("//{host}:{port}/a.mp3", "gopher://{host}:{port}/_GET%20/", "ht\ttp://{host}:{port}/a.mp3"),
)
HOSTILE = [shape.replace("{host}", host) for host, shape in product(DISGUISES, SHAPES)]
INNER_NAMES = names(
    inside_example="127.0.0.1", both_example=f"{PUBLIC} 127.0.0.1", six_example="::1", nat64_example="64:ff9b::7f00:1"
)


async def call_on_all(canary: RecordingHost, keep: Keep) -> list[Outcome]:
    # The canary's port counts as usual here: were it refused for its port, no address would be looked at.
    limits = Limits(ports={canary.port}, connect_seconds=1, silence_seconds=1, total_seconds=2)
    urls = [url.replace("{port}", str(canary.port)) for url in HOSTILE]
    calls = [fetch(url, allowed_hosts=[], into=keep, limits=limits, resolve=INNER_NAMES) for url in urls]
    return await asyncio.gather(*calls)


async def test_hundreds_of_hostile_addresses_and_no_connection_inside(canary: RecordingHost, keep: Keep) -> None:
    assert len(HOSTILE) >= 200
    outcomes = await call_on_all(canary, keep)
    assert [url for url, outcome in zip(HOSTILE, outcomes, strict=True) if not isinstance(outcome, Refused)] == []
    assert canary.connections == 0


async def test_the_canary_would_hear_them_if_the_guard_slept(
    canary: RecordingHost, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.outside.client.address_objection", lambda *_: None)
    global_names = ("both.example", "169.254.169.254", "64:ff9b", "2002:", "2001:", "nat64")  # would leave this machine
    monkeypatch.setattr(
        f"{__name__}.HOSTILE", [url for url in HOSTILE if not any(name in url for name in global_names)]
    )
    outcomes = await call_on_all(canary, keep)
    assert canary.connections > 20
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) > 10


@pytest.mark.parametrize("host", [name for name in DISGUISES if "good" not in name and name.isascii()])
async def test_a_redirect_inside_is_not_followed(host: str, canary: RecordingHost, keep: Keep) -> None:
    async with RecordingHost({"/a.mp3": redirect(f"http://{host}:{canary.port}/a.mp3")}) as outside:
        limits = Limits(ports={canary.port})
        outcome = await fetch(
            outside.url("/a.mp3"), allowed_hosts=[outside.pair], into=keep, limits=limits, resolve=INNER_NAMES
        )
        assert isinstance(outcome, Refused | Failed)
        assert outside.connections == 1
    assert canary.connections == 0


@pytest.mark.parametrize("port", [22, 25, 6379, 8080])
async def test_a_redirect_to_another_port_is_not_followed(port: int, host: RecordingHost, keep: Keep) -> None:
    outcome = await fetch_from(host, redirect(f"http://recordings.example:{port}/"), keep)
    assert isinstance(outcome, Refused)
    assert f"add recordings.example:{port} to DASHBOARD_RECORDING_HOSTS" in outcome.why


@pytest.mark.parametrize("written", ["127.1", "0x7f.1", "2130706433", "017700000001", "localhost", "0", "::1"])
async def test_what_the_resolver_makes_of_a_disguise_is_checked_too(
    written: str, canary: RecordingHost, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the parser of addresses had let it through."""

    async def misled(host: str, port: int) -> list[str]:
        return await resolve_host(written, port)

    limits = Limits(ports={canary.port})
    url = canary.url("/a.mp3", "good.example")
    assert isinstance(await fetch(url, allowed_hosts=[], into=keep, limits=limits, resolve=misled), Refused)
    assert canary.connections == 0


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch, host: RecordingHost) -> list[str]:
    """Stands in for the internet: calls on PUBLIC reach `host`, all others go where they say. Notes each address."""
    addresses: list[str] = []
    connect = httpcore.AnyIOBackend.connect_tcp

    async def divert(self: httpcore.AnyIOBackend, address: str, port: int, *rest: Any) -> httpcore.AsyncNetworkStream:
        addresses.append(address)
        address, port = ("127.0.0.1", host.port) if address == PUBLIC else (address, port)
        return await connect(self, address, port, *rest)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", divert)
    return addresses


async def test_a_name_is_asked_for_once_and_the_address_that_was_checked_is_called(
    host: RecordingHost, canary: RecordingHost, keep: Keep, dialled: list[str]
) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def rebinding(_: str, __: int) -> list[str]:
        return next(answers)

    host.answers["/a.mp3"] = audio()
    limits = Limits(ports={canary.port})
    url = canary.url("/a.mp3", "rebinding.example")
    first = await fetch(url, allowed_hosts=[], into=keep, limits=limits, resolve=rebinding)
    again = await fetch(url, allowed_hosts=[], into=keep, limits=limits, resolve=rebinding)
    assert isinstance(first, Fetched)
    assert isinstance(again, Refused)
    assert dialled == [PUBLIC]
    assert canary.connections == 0


async def test_a_name_that_moves_inside_between_two_redirects_is_refused(
    host: RecordingHost, canary: RecordingHost, keep: Keep, dialled: list[str]
) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def rebinding(_: str, __: int) -> list[str]:
        return next(answers)

    host.answers["/a.mp3"] = redirect("/b.mp3")
    limits = Limits(ports={canary.port})
    url = canary.url("/a.mp3", "rebinding.example")
    outcome = await fetch(url, allowed_hosts=[], into=keep, limits=limits, resolve=rebinding)
    assert isinstance(outcome, Refused)
    assert dialled == [PUBLIC]
    assert canary.connections == 0


async def test_a_name_with_a_public_and_an_inner_address_is_not_called_at_all(
    host: RecordingHost, keep: Keep, dialled: list[str]
) -> None:
    both = names(both_example=f"{PUBLIC} 10.0.0.1")
    outcome = await fetch("http://both.example/a.mp3", allowed_hosts=[], into=keep, resolve=both)
    assert isinstance(outcome, Refused)
    assert dialled == []


async def test_proxies_of_the_environment_are_not_asked(
    host: RecordingHost, canary: RecordingHost, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, canary.url(""))
    assert isinstance(await fetch_from(host, audio(), keep), Fetched)
    assert canary.connections == 0


async def test_a_refusal_does_not_tell_where_a_name_leads(keep: Keep) -> None:
    inside = names(db_corp_example="10.20.30.40")
    outcome = await fetch("http://db.corp.example/", allowed_hosts=[], into=keep, resolve=inside)
    assert isinstance(outcome, Refused)
    assert "10.20.30.40" not in outcome.why
    assert "add db.corp.example:80 to DASHBOARD_RECORDING_HOSTS" in outcome.why


async def test_name_servers_that_hang_leave_the_threads_of_everybody_else_alone(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Event()

    def hang(*_: object, **__: object) -> list[object]:
        answers.wait(10)
        return []

    monkeypatch.setattr("socket.getaddrinfo", hang)
    fetches = [fetch(f"https://{n}.example/", allowed_hosts=[], into=keep) for n in range(40)]
    fetching = asyncio.gather(*fetches)
    await asyncio.to_thread(usual_tls)
    try:
        async with asyncio.timeout(5):
            for _ in range(40):
                assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        answers.set()
    assert {type(outcome) for outcome in await fetching} == {Failed}


async def test_the_list_of_authorities_is_read_once_by_however_many_come_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[ssl.SSLContext] = []
    all_have_come = Barrier(4)

    def read_the_list() -> ssl.SSLContext:
        read.append(ssl.create_default_context())
        return read[-1]

    def come() -> ssl.SSLContext:
        all_have_come.wait(10)
        return usual_tls()

    monkeypatch.setattr(client, "_usual_tls", functools.cache(read_the_list))
    contexts = await asyncio.gather(*(asyncio.to_thread(come) for _ in range(4)))
    assert contexts == read * 4
