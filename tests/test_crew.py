"""Threads for blocking work: an answer in time whatever becomes of the work, and an end of the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from threading import Event, current_thread, get_ident

import pytest

from dashboard.crew import MOST_LEFT_BEHIND, Crew, StandsStill

PATIENCE = 0.1
CEILING = 5.0


class Hands:
    """A crew of one, the times it started over, and something to stand still before."""

    def __init__(self) -> None:
        self.started_over = 0
        self.may_go_on = Event()
        self.crew = Crew("test", 1, patience=PATIENCE, start_over=self.start_over)

    def start_over(self) -> None:
        self.started_over += 1

    def stand_still(self) -> str:
        assert self.may_go_on.wait(CEILING)
        return "done after all"


@pytest.fixture
def hands() -> Iterator[Hands]:
    made = Hands()
    yield made
    made.may_go_on.set()
    made.crew.stop()
    assert made.crew.wait(CEILING)


async def test_work_is_done_in_a_thread_and_its_result_or_failure_comes_back(hands: Hands) -> None:
    assert await hands.crew.do(get_ident) != get_ident()
    with pytest.raises(ZeroDivisionError):
        await hands.crew.do(lambda: 1 // 0)
    assert await hands.crew.do(lambda: "and on") == "and on"


async def test_one_hand_does_one_thing_after_the_other(hands: Hands) -> None:
    order: list[int] = []
    await asyncio.gather(*(hands.crew.do(partial(order.append, number)) for number in range(50)))
    assert order == list(range(50))


async def test_work_that_stands_still_is_given_up_and_another_thread_goes_on(hands: Hands) -> None:
    with pytest.raises(StandsStill):
        await hands.crew.do(hands.stand_still)
    assert await hands.crew.do(lambda: "next") == "next"
    assert hands.started_over == 1


async def ask_and_leave(hands: Hands) -> None:
    """Work has begun and stands still, and nobody waits for it."""
    loop, has_begun = asyncio.get_running_loop(), asyncio.Event()

    def stand_still() -> str:
        loop.call_soon_threadsafe(has_begun.set)
        return hands.stand_still()

    asking = asyncio.create_task(hands.crew.do(stand_still))
    await has_begun.wait()
    asking.cancel()
    await asyncio.wait([asking])


async def test_a_thread_that_stands_still_is_replaced_though_whoever_asked_has_left(hands: Hands) -> None:
    await ask_and_leave(hands)
    assert await hands.crew.do(lambda: "next") == "next"
    assert hands.started_over == 1


async def test_work_that_comes_back_after_whoever_asked_has_left_costs_no_thread(hands: Hands) -> None:
    await ask_and_leave(hands)
    hands.may_go_on.set()
    assert await hands.crew.do(lambda: "next") == "next"
    hands.may_go_on.clear()
    with pytest.raises(StandsStill):
        # By then the time of the first is over as well.
        await hands.crew.do(hands.stand_still)
    assert await hands.crew.do(lambda: "on") == "on"
    assert hands.started_over == 1


async def test_what_waits_behind_it_is_done_by_the_thread_that_takes_its_place_or_refused_in_time(hands: Hands) -> None:
    stuck = asyncio.create_task(hands.crew.do(hands.stand_still))
    await asyncio.wait([stuck], timeout=PATIENCE / 2)
    began = time.monotonic()
    assert await hands.crew.do(lambda: "behind") == "behind"
    assert time.monotonic() - began < CEILING / 2
    with pytest.raises(StandsStill):
        await stuck


async def test_when_too_many_threads_stand_still_work_is_refused_and_goes_on_once_one_is_back(hands: Hands) -> None:
    for _ in range(MOST_LEFT_BEHIND + 3):
        with pytest.raises(StandsStill):
            await hands.crew.do(hands.stand_still)
    assert len(hands.crew._left_behind) == MOST_LEFT_BEHIND + 1
    hands.may_go_on.set()
    async with asyncio.timeout(CEILING):
        while True:
            try:
                assert await hands.crew.do(lambda: "back") == "back"
                break
            except StandsStill:
                pass
        while hands.crew._left_behind:
            await hands.crew.do(lambda: None)
    assert len(hands.crew._at_work) == 1


async def test_whoever_stops_waiting_for_his_work_disturbs_nobody(hands: Hands) -> None:
    cancelled = [asyncio.create_task(hands.crew.do(lambda: None)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in cancelled:
        task.cancel()
    assert await hands.crew.do(lambda: "on") == "on"
    await asyncio.wait(cancelled)


async def test_a_crew_that_stops_ends_what_has_begun_and_refuses_the_rest(hands: Hands) -> None:
    begun = asyncio.create_task(hands.crew.do(lambda: hands.may_go_on.wait(CEILING) and current_thread().name))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(hands.crew.do(lambda: "never"))
    await asyncio.wait([begun, waiting], timeout=PATIENCE / 3)
    hands.crew.stop()
    hands.may_go_on.set()
    assert await begun == "test"
    with pytest.raises(StandsStill):
        await waiting
    with pytest.raises(StandsStill):
        await hands.crew.do(lambda: "never")
    assert await asyncio.to_thread(hands.crew.wait, CEILING)


STANDS_STILL_FOR_EVER = """
import asyncio, threading
from dashboard.crew import Crew, StandsStill

async def main():
    crew = Crew("test", 1, patience=0.05, start_over=lambda: None)
    try:
        await crew.do(threading.Event().wait)
    except StandsStill:
        print("given up")
    crew.stop()

asyncio.run(main())
"""


def test_a_thread_that_never_comes_back_does_not_keep_the_process_from_ending() -> None:
    ran = subprocess.run([sys.executable, "-c", STANDS_STILL_FOR_EVER], capture_output=True, text=True, timeout=CEILING)
    assert (ran.stdout, ran.returncode) == ("given up\n", 0)
