"""Every kind of recording that is kept plays in a browser, or is offered as a file; a failed one is fetched again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from playwright.sync_api import expect

from tests.browser.conftest import Pages
from tests.recording_cases import CREDENTIAL, DOWNLOAD, PLAYED, cases
from tests.recording_host import RecordingHost, audio, status
from tests.reports import report
from tests.running import RunningBoard

# Plays each for a moment; gives what went wrong, by address.
PLAY_ALL = """async (addresses) => {
  const play = (address) => new Promise((done) => {
    const audio = new Audio(address);
    const late = setTimeout(() => done(`nothing was heard; readyState ${audio.readyState}`), 15000);
    const end = (problem) => { clearTimeout(late); audio.pause(); audio.removeAttribute("src"); done(problem); };
    audio.muted = true;
    audio.ontimeupdate = () => { if (audio.currentTime > 0) end(""); };
    audio.onerror = () => end(audio.error.message);
    audio.play().catch(() => {});
  });
  const problems = {};
  for (const address of addresses) {
    const problem = await play(address);
    if (problem) problems[address] = problem;
  }
  return problems;
}"""


@contextmanager
def serving() -> Iterator[RecordingHost]:
    """The host of all cases, in a thread: Playwright's own loop runs in this one."""
    host = RecordingHost({f"/{name}": case.answer for name, case in cases().items() if case.answer})
    is_open, is_over = Event(), Event()

    async def serve() -> None:
        async with host:
            is_open.set()
            await asyncio.to_thread(is_over.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert is_open.wait(10)
    try:
        yield host
    finally:
        is_over.set()
        thread.join(10)


def board_for(host: RecordingHost, start_board: Callable[..., RunningBoard]) -> RunningBoard:
    return start_board(DASHBOARD_RECORDING_HOSTS=host.pair, DASHBOARD_RECORDING_AUTH=f"http://{host.pair}={CREDENTIAL}")


def test_every_recording_that_is_kept_plays_or_is_offered_as_a_file(
    start_board: Callable[..., RunningBoard], pages: Pages
) -> None:
    kept = {name: case for name, case in cases().items() if case.as_}
    with serving() as host:
        board = board_for(host, start_board)
        for name, case in kept.items():
            url = case.url.format(host=host.pair) if case.url else host.url(f"/{name}")
            board.post(report(name, recordingUrl=url))
        page = pages.open(board.url)
        expect(page.locator("#calls .recording", has_text="♪")).to_have_count(len(kept), timeout=60_000)
    number = {name: at for at, name in enumerate(kept, 1)}
    addresses = [f"/calls/{number[name]}/recording" for name, case in kept.items() if case.as_ == PLAYED]
    assert len(addresses) > 25
    assert page.evaluate(PLAY_ALL, addresses) == {}
    for name in (name for name, case in kept.items() if case.as_ == DOWNLOAD):
        page.goto(f"{board.url}/calls/{number[name]}")
        expect(page.locator("#player")).to_contain_text("Most browsers cannot play its codec")
        expect(page.locator("#player audio")).to_have_count(0)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download it").click()
        assert download.value.path().stat().st_size > 100


def test_a_recording_that_was_given_up_is_fetched_again_by_a_button(
    start_board: Callable[..., RunningBoard], pages: Pages
) -> None:
    with serving() as host:
        board = board_for(host, start_board)
        host.answers["/late.mp3"] = status(410)
        board.post(report("late", recordingUrl=host.url("/late.mp3")))
        page = pages.open(f"{board.url}/calls/1")
        beside = pages.open(f"{board.url}/calls/1")
        expect(page.locator("#player")).to_contain_text("gone for good", timeout=10_000)
        expect(page.locator("#call-1 .recording")).to_have_text("✕")
        host.answers["/late.mp3"] = audio()
        page.get_by_role("button", name="Fetch again").click()
        page.wait_for_url("**/calls/1")
        for each in (page, beside):
            expect(each.locator("#call-1 .recording")).to_have_text("♪", timeout=10_000)
            expect(each.locator("#player audio")).to_have_count(1)
