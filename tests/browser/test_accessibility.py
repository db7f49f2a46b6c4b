"""Nothing that axe can find stands in anybody's way, from a phone to a wall. `bench/axe.py` walks all there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from bench.axe import OF_EVERY_WIDTH, OTHERS, Boards, look_over, look_over_signed_in
from bench.axe import boards as starting_boards


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    with starting_boards(tmp_path_factory.mktemp("boards")) as made:
        yield made


@pytest.mark.parametrize(
    ("width", "scheme", "addresses"),
    [
        (390, "light", OF_EVERY_WIDTH),
        (390, "light", OTHERS),
        (900, "dark", OF_EVERY_WIDTH),
        (1440, "dark", OF_EVERY_WIDTH),
        (1440, "dark", OTHERS),
        (1920, "light", OF_EVERY_WIDTH),
    ],
)
def test_axe_finds_nothing_on_any_page(
    boards: Boards, browser: Browser, width: int, scheme: str, addresses: tuple[str, ...]
) -> None:
    found = look_over(boards, browser, width, scheme, addresses)
    assert found == [], "\n".join(found)


def test_axe_finds_nothing_on_the_pages_of_somebody_who_signed_in(boards: Boards, browser: Browser) -> None:
    found = look_over_signed_in(boards, browser, 1440, "light")
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("address", ["/", "/calls/5", "/wall", "/accounts", "/inbox", "/inbox/5"])
def test_nothing_is_wider_than_a_phone(boards: Boards, browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(boards.busy.url + address)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
