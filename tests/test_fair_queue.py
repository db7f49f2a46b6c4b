"""Turns that go round the visitors."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.fair_queue import FairQueue, TooManyWaiting, Turn


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_visitor_has_more_turns_than_are_its_own_though_others_are_free() -> None:
    queue = FairQueue(at_once=4, each=2)
    turns = [await queue.enter("greedy"), await queue.enter("greedy")]
    third = asyncio.ensure_future(queue.enter("greedy"))
    await settled()
    assert not third.done()
    await queue.enter("other")
    turns[0].release()
    await settled()
    assert third.done()


async def test_one_that_asks_for_a_thousand_turns_delays_one_that_asks_for_one_by_one_turn() -> None:
    queue, order = FairQueue(at_once=1, each=1), list[str]()

    async def work(who: str) -> None:
        async with queue.turn(who):
            order.append(who)
            await asyncio.sleep(0)

    greedy = [asyncio.create_task(work("greedy")) for _ in range(1000)]
    await settled()
    honest = asyncio.create_task(work("honest"))
    await asyncio.gather(honest, *greedy)
    assert order.index("honest") <= 5
    assert len(order) == 1001


async def test_one_that_waits_for_too_much_is_refused_and_others_are_not() -> None:
    queue = FairQueue(at_once=1, each=1)
    turn = await queue.enter("greedy")
    waiting = [asyncio.ensure_future(queue.enter("greedy", most_waiting=3)) for _ in range(3)]
    await settled()
    with pytest.raises(TooManyWaiting):
        await queue.enter("greedy", most_waiting=3)
    other = asyncio.ensure_future(queue.enter("other", most_waiting=3))
    await settled()
    assert queue.waiting("other") == 1
    turn.release()
    await settled()
    assert sum(each.done() for each in (*waiting, other)) == 1


async def test_one_that_leaves_while_it_waits_takes_no_turn_with_it() -> None:
    queue = FairQueue(at_once=1, each=1)
    turn = await queue.enter("a")
    leaving, staying = (asyncio.ensure_future(queue.enter(who)) for who in ("b", "c"))
    await settled()
    leaving.cancel()
    await settled()
    turn.release()
    (await staying).release()
    assert (queue.working, queue.busy) == (0, {})


async def test_one_that_leaves_in_the_moment_of_its_turn_gives_it_to_the_next() -> None:
    queue = FairQueue(at_once=1, each=1)
    turn = await queue.enter("a")
    leaving, staying = (asyncio.ensure_future(queue.enter(who)) for who in ("b", "c"))
    await settled()
    turn.release()
    leaving.cancel()
    async with asyncio.timeout(5):
        (await staying).release()
    assert queue.working == 0


async def test_a_turn_that_is_answered_makes_room_for_others_and_not_for_its_own_visitor() -> None:
    queue = FairQueue(at_once=1, each=1)
    turn = await queue.enter("slow reader")
    turn.release_common()
    again = asyncio.ensure_future(queue.enter("slow reader"))
    (await queue.enter("other")).release()
    await settled()
    assert not again.done()
    turn.release()
    turn.release()
    async with asyncio.timeout(5):
        await again


async def test_a_turn_of_somebody_unknown_can_be_counted_for_who_it_turned_out_to_be() -> None:
    queue = FairQueue(at_once=4, each=1)
    turn = await queue.enter("address")
    turn.belongs_to("account")
    assert queue.busy == {"account": 1}
    other = await queue.enter("address")
    other.release()
    turn.release()
    assert (queue.working, queue.busy) == (0, {})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("enter", "leave", "release"))), max_size=60))
def test_there_are_never_more_turns_than_may_be_and_none_is_lost(steps: list[tuple[str, str]]) -> None:
    async def run() -> None:
        queue = FairQueue(at_once=3, each=2)
        held, asked = list[tuple[str, Turn]](), list[tuple[str, asyncio.Future[Turn]]]()
        for who, step in steps:
            if step == "enter":
                asked.append((who, asyncio.ensure_future(queue.enter(who))))
            elif step == "leave" and asked:
                asked.pop(0)[1].cancel()
            elif held:
                held.pop(0)[1].release()
            await settled()
            held += [(name, place.result()) for name, place in asked if place.done() and not place.cancelled()]
            asked = [(name, place) for name, place in asked if not place.done()]
            assert len(held) == queue.working <= 3
            assert all(sum(name == who for name, _ in held) <= 2 for who in "abc")
            # A turn is free only where nobody who may have it waits.
            assert len(held) == 3 or all(sum(n == name for n, _ in held) == 2 for name, _ in asked)
        for _, place in asked:
            place.cancel()
            with suppress(asyncio.CancelledError):
                await place
        for _, turn in held:
            turn.release()
        assert (queue.working, queue.busy) == (0, {})

    asyncio.run(run())
