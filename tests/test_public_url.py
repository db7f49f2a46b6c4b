"""The board's address for others: corrected where one thing can be meant, refused otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.public_url import BadPublicUrl, host_name, read_public_url
from dashboard.settings import BadSetting, Settings
from dashboard.web.door import is_own_host
from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK

MakeApp = Callable[..., Awaitable[Callboard]]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ""),
        (" https://board.example ", "https://board.example"),
        ("https://board.example/", "https://board.example"),
        ("https://board.example///", "https://board.example"),
        ("HTTPS://Board.Example", "https://board.example"),
        ("https://board.example:443", "https://board.example"),
        ("https://board.example:8443/", "https://board.example:8443"),
        ("http://192.0.2.7:8000", "http://192.0.2.7:8000"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
        ("board.example", "https://board.example"),
        ("calls.board.example/", "https://calls.board.example"),
        ("https://कॉल.example", "https://xn--11b2d4c.example"),
        ("कॉल.भारत", "https://xn--11b2d4c.xn--h2brj9c"),
        ("https://Bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        (f"https://board.example{WEBHOOK}", "https://board.example"),
        (f"https://board.example{WEBHOOK}?token=canary", "https://board.example"),
    ],
)
def test_an_address_is_corrected_where_one_thing_can_be_meant(text: str, address: str) -> None:
    assert read_public_url(text) == address
    assert read_public_url(address) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://board.example/canary", "must hold no path"),
        ("https://board.example/canary/?x=1", "Write https://board.example, and lead it here"),
        ("https://board.example?token=canary", "must end after the host. Write https://board.example"),
        ("https://board.example/?", "must end after the host"),
        ("https://board.example/#canary", "must end after the host"),
        ("https://canary:canary@board.example", "must hold no user name or password"),
        ("192.0.2.7:8000", "must begin with https:// (or http://)"),
        ("192.0.2.7", "must begin with https:// (or http://)"),
        ("localhost:8000", "must begin with https:// (or http://)"),
        ("canary", "must begin with https:// (or http://)"),
        ("ftp://board.example", "must begin with https:// (or http://)"),
        ("https://", "must be an address such as"),
        ("https://board.example:99999", "must be an address such as"),
        ("https://board example", "must be an address such as"),
        ("https://board.example\\canary", "must be an address such as"),
    ],
)
def test_another_address_is_refused_with_a_sentence_that_quotes_no_secret(text: str, words: str) -> None:
    with pytest.raises(BadPublicUrl) as caught:
        read_public_url(text)
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    with pytest.raises(BadSetting, match=r"^DASHBOARD_PUBLIC_URL must "):
        Settings.from_env({"DASHBOARD_DATA": "/nonexistent", "DASHBOARD_PUBLIC_URL": text})


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"https://{text}"))
def test_any_text_is_an_address_that_stays_as_it_is_or_refused(text: str) -> None:
    try:
        address = read_public_url(text)
    except BadPublicUrl:
        return
    assert read_public_url(address) == address
    assert address.isascii()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Board.Example:8000", "board.example"),
        ("board.example.", "board.example"),
        ("board.example.:443", "board.example"),
        ("[::1]:8000", "::1"),
        ("[::1]", "::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("board.example:99999", ""),
        ("board.example/x", ""),
        ("a b", ""),
        ("", ""),
        ("[", ""),
    ],
)
def test_the_host_of_a_request_is_compared_in_one_form(host: str, name: str) -> None:
    assert host_name(host) == name


async def test_a_board_with_a_unicode_domain_answers_to_it(make_app: MakeApp) -> None:
    url = Settings.from_env(
        {"DASHBOARD_DATA": "/nonexistent", "DASHBOARD_PUBLIC_URL": "https://Bücher.example"}
    ).public_url
    app = await make_app(public_url=url, webhook_secrets=("hush",), admin_password="long enough a password")
    client = app.test_client()
    for host, status in (("xn--bcher-kva.example", 200), ("XN--BCHER-KVA.example:443", 200), ("board.example", 421)):
        assert (await client.get("/sign-in", headers={"Host": host})).status_code == status, host
    form = await client.post(
        "/sign-in", form={"name": "x"}, headers={"Host": "elsewhere", "Origin": "https://xn--bcher-kva.example"}
    )
    assert form.status_code == 421


def test_an_empty_host_is_nobodys() -> None:
    assert not is_own_host("", Settings(public_url="https://board.example"))
    assert not is_own_host("", Settings())
