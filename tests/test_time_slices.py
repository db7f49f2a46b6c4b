"""Work in slices: the list may be long, a slice is not."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.time_slices import TimeSlices


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_slice_ends_when_its_time_is_over_and_the_rest_comes_in_the_next() -> None:
    clock, served = Clock(), list[int]()

    def serve(item: int) -> None:
        served.append(item)
        clock.now += 0.004

    slices = TimeSlices(serve, seconds=0.01, rest=0.0, clock=clock)
    slices.add(range(7))
    assert served == []
    await asyncio.sleep(0)
    assert served == [0, 1, 2]
    await asyncio.sleep(0)
    assert served == [0, 1, 2, 3, 4, 5]
    await asyncio.sleep(0)
    assert (served, len(slices)) == ([0, 1, 2, 3, 4, 5, 6], 0)


async def test_an_item_that_waits_keeps_its_place_and_is_served_once() -> None:
    served = list[str]()
    slices = TimeSlices(served.append, seconds=1.0, rest=0.0)
    slices.add(["longest waiting", "other"])
    slices.add(["new", "longest waiting"])
    await asyncio.sleep(0)
    assert served == ["longest waiting", "other", "new"]


async def test_an_item_that_was_discarded_is_not_served() -> None:
    served = list[str]()
    slices = TimeSlices(served.append, seconds=1.0, rest=0.0)
    slices.add(["a", "b"])
    slices.discard("a")
    slices.discard("unknown")
    await asyncio.sleep(0)
    assert served == ["b"]


async def test_the_loop_is_left_free_after_a_slice_though_more_was_added() -> None:
    clock, served, rested = Clock(), list[str](), asyncio.Event()

    def serve(item: str) -> None:
        served.append(item)
        clock.now += 0.02
        if item == "later":
            rested.set()

    slices = TimeSlices(serve, seconds=0.01, rest=1.0, clock=clock)
    slices.add(["first"])
    await asyncio.sleep(0)
    slices.add(["later"])
    for _ in range(5):
        await asyncio.sleep(0)
    assert served == ["first"]
    async with asyncio.timeout(5):
        await rested.wait()


async def test_an_item_that_fails_does_not_end_the_service_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    served = list[str]()

    def serve(item: str) -> None:
        if item == "broken":
            raise ValueError(item)
        served.append(item)

    slices = TimeSlices(serve, seconds=1.0, rest=0.0)
    slices.add(["broken", "sound"])
    await asyncio.sleep(0)
    assert served == ["sound"]
    assert "could not be served" in caplog.text
