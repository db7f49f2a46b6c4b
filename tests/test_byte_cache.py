"""A cache whose bytes are bounded, whatever is offered to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.byte_cache import KEY_BYTES, ByteCache, Piece


def test_a_piece_that_is_offered_once_is_not_kept() -> None:
    cache: ByteCache[int] = ByteCache(10_000)
    cache.offer(1, 5, Piece(b"x" * 1000, 9))
    assert cache.get(1, 5) is None
    assert cache.held_bytes == KEY_BYTES


def test_a_piece_that_is_offered_twice_is_kept_for_its_group_and_key_alone() -> None:
    cache: ByteCache[int] = ByteCache(10_000)
    piece = Piece(b"x" * 1000, 9)
    for _ in range(2):
        cache.offer(1, 5, piece)
    assert cache.get(1, 5) is piece
    assert cache.get(1, 6) is None
    assert cache.get(2, 5) is None
    assert cache.held_bytes == KEY_BYTES + 1000


def test_the_piece_that_was_used_longest_ago_is_removed_first() -> None:
    cache: ByteCache[str] = ByteCache(3 * (KEY_BYTES + 100))
    for key in ("a", "b", "c"):
        for _ in range(2):
            cache.offer(1, key, Piece(b"x" * 100, 1))
    assert cache.get(1, "a") is not None
    cache.offer(1, "d", Piece(b"", 1))
    assert cache.get(1, "b") is None
    assert cache.get(1, "a") is not None
    assert cache.get(1, "c") is not None


def test_a_piece_larger_than_the_cache_is_not_kept() -> None:
    cache: ByteCache[int] = ByteCache(1_000)
    for _ in range(2):
        cache.offer(1, 5, Piece(b"x" * 1000, 9))
    assert (cache.get(1, 5), cache.held_bytes, len(cache)) == (None, 0, 0)


def test_a_group_that_is_removed_holds_nothing_and_leaves_the_others() -> None:
    cache: ByteCache[int] = ByteCache(10_000)
    for group in (1, 2):
        for _ in range(2):
            cache.offer(group, 5, Piece(b"x", 9))
    cache.remove_group(1)
    cache.remove_group(3)
    assert cache.get(1, 5) is None
    assert cache.get(2, 5) == Piece(b"x", 9)
    assert cache.held_bytes == KEY_BYTES + 1
    cache.clear()
    assert (cache.held_bytes, len(cache)) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 900))), st.integers(0, 3_000))
def test_the_cache_counts_its_bytes_and_never_holds_more_than_it_may(
    offers: list[tuple[int, int, int]], most: int
) -> None:
    cache: ByteCache[int] = ByteCache(most)
    for group, key, size in offers:
        cache.offer(group, key, Piece(bytes(size), 1))
        kept = sum(len(piece.data) for g in range(4) for k in range(6) if (piece := cache.get(g, k)))
        assert cache.held_bytes == kept + KEY_BYTES * len(cache)
        assert cache.held_bytes <= most
