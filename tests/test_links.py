"""Addresses written by strangers: what becomes a link, what stays text."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.links import MAX_LENGTH, BadAddress, host_of, parse_url, read_url, safe_url

SAFE = {
    "https://example.com/recording.mp3": "https://example.com/recording.mp3",
    "http://example.com": "http://example.com/",
    "HTTPS://Example.COM/A%2Fb": "https://example.com/A%2Fb",
    "https://example.com:443/a": "https://example.com/a",
    "http://example.com:080/a": "http://example.com/a",
    "https://example.com:/a": "https://example.com/a",
    "https://example.com:8443/a": "https://example.com:8443/a",
    "https://example.com?call=1": "https://example.com/?call=1",
    "https://example.com/a?b=//c&d=?#/calls/7": "https://example.com/a?b=//c&d=?#/calls/7",
    "https://example.com/a@b:c": "https://example.com/a@b:c",
    "https://example.com/call one.mp3": "https://example.com/call%20one.mp3",
    "https://example.com/\"><script>'": "https://example.com/%22%3E%3Cscript%3E'",
    "https://example.com/बात.mp3": "https://example.com/%E0%A4%AC%E0%A4%BE%E0%A4%A4.mp3",
    "https://example.com/\u202egpj.exe": "https://example.com/%E2%80%AEgpj.exe",
    "https://bücher.example/": "https://xn--bcher-kva.example/",
    "https://ex\uff41mple\u3002com/": "https://example.com/",
    "https://under_score.example/": "https://under_score.example/",
    "http://127.0.0.1:9000/a.mp3": "http://127.0.0.1:9000/a.mp3",
    "http://[2001:DB8:0::1]:8080/": "http://[2001:db8::1]:8080/",
    "http://localhost/": "http://localhost/",
}
UNSAFE = (
    "",
    "example.com",
    "/recording.mp3",
    "//evil.example",
    "https:",
    "https://",
    "https:///a",
    "https:example.com",
    "https:/evil.example",
    "https:/\\evil.example",
    "https:\\\\evil.example",
    "https://good.example\\@evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://example.com/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "blob:https://example.com/1",
    "http\u017f://example.com/",
    " https://example.com/",
    "https://example.com/ ",
    "\u00a0https://example.com/",
    "ht\ttps://example.com/",
    "https://exam\nple.com/",
    "https://example.com/a\r\nHost: evil.example",
    "https://example.com/\x00",
    "https://example.com/\x7f",
    "https://example.com/\x85",
    "https://example.com/\ud800",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com:secret@evil.example/",
    "https://@example.com/",
    "https://exam ple.com/",
    "https://example..com/",
    "https://.example.com/",
    "https://localhost./",
    "https://-example.com/",
    "https://exa%6dple.com/",
    "https://exam<b>ple.com/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
    "https://\u200b/",
    "https://\u202eexample.com/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999999/",
    "https://example.com:-1/",
    "https://example.com:8o/",
    "https://example.com:٨٠/",
    "https://[::1/",
    "https://[::1%25eth0]/",
    "https://[]/",
    "https://[::g]/",
    "https://[example.com]/",
    "https://[::1]evil.example/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://127.0.0.01/",
    "http://256.256.256.256/",
    "http://1.2.3.4.5/",
    "http://\uff11\uff12\uff17.1/",
    "https://example.com/" + "a" * MAX_LENGTH,
    "https://example.com/" + "ब" * 2000,
)


@pytest.mark.parametrize(("written", "normal"), SAFE.items())
def test_a_web_address_becomes_a_link_in_normal_form(written: str, normal: str) -> None:
    assert safe_url(written) == normal


@pytest.mark.parametrize("written", UNSAFE)
def test_anything_else_stays_text(written: str) -> None:
    assert safe_url(written) is None
    assert host_of(written) == ""


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Recordings.Example:8443/a?b#c", "recordings.example"),
        ("https://\u0440\u0430\u0443\u0440\u0430l.example/", "xn--l-7sba6dbr.example"),
        ("http://[::1]:9000/", "[::1]"),
    ],
)
def test_the_host_beside_a_link_is_the_one_that_will_be_called(url: str, host: str) -> None:
    assert host_of(url) == host


def test_a_signed_address_of_many_thousand_characters_is_an_address() -> None:
    signed = "https://bucket.example/a.mp3?X-Amz-Security-Token=" + "a1%2F" * 3000
    assert len(signed) > 15_000
    assert safe_url(signed) == signed


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("https://example.com/" + "a" * MAX_LENGTH, "is longer than 16,384 characters"),
        ("https://example.com/" + "ब" * 2000, "is longer than 16,384 characters once its letters are written as %XX"),
        ("ftp://example.com/", "does not begin with http:// or https://"),
        ("recording.mp3", "does not begin with http:// or https://"),
        ("https://user:secret@example.com/", "has a user name or password before its host"),
        ("https://example.com/a b\n", "has a blank around it, a backslash or a control character in it"),
        ("https://", "has no host that can be read"),
        ("https:///a@b", "has no host that can be read"),
        ("https://example.com:0/", "has a port that does not exist"),
        ("http://127.1/", "has a host that is neither a name nor an IP address in its usual form"),
    ],
)
def test_what_is_no_address_is_refused_with_the_true_reason(written: str, reason: str) -> None:
    with pytest.raises(BadAddress) as refused:
        read_url(written)
    assert str(refused.value) == reason


SCRAPS = (
    *(
        "https",
        "http",
        "HTTP",
        "javascript",
        "://",
        ":",
        "/",
        "//",
        "\\",
        "@",
        "#",
        "?",
        "%",
        "%2f",
        ".",
        "..",
        "[",
        "]",
    ),
    *("example.com", "evil.example", "127.0.0.1", "::1", "0x7f", "80", "443", "65536", "xn--", "-", "_", "'", '"', "<"),
    *(" ", "\t", "\n", "\x00", "\u00fc", "\u3002", "\uff0f", "\u202e"),
)
PIECES = st.lists(st.sampled_from(SCRAPS) | st.text(max_size=3), max_size=12).map("".join)


@given(PIECES | st.builds("https://{}".format, PIECES) | st.builds("http://example.com/{}".format, st.text()))
def test_a_safe_address_reads_the_same_to_every_parser(text: str) -> None:
    safe = safe_url(text)
    if safe is None:
        return
    assert safe.isascii()
    assert safe.isprintable()
    assert not set(' "<>\\`') & set(safe)
    assert safe_url(safe) == safe
    url, other = parse_url(safe), urlsplit(safe)
    assert url is not None
    assert other.scheme in ("http", "https")
    assert other.username is None
    assert other.hostname == url.host
    assert (other.port or {"http": 80, "https": 443}[other.scheme]) == url.port
