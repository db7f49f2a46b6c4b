"""A cache that is bounded in bytes. Pure: knows keys and bytes, not what they are for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

KEY_BYTES = 200
"""What an entry costs beside its bytes: two dictionary entries and the key."""


class Piece(NamedTuple):
    """Part of a stream, and the number up to which it brings a page."""

    data: bytes
    upto: int
    is_last: bool = True
    """Whether nothing was known beyond it when it was made."""


class ByteCache(Generic[Key]):
    """Pieces by group and key. The piece that was used longest ago is removed first.

    A piece is kept when it is offered for the second time: a piece that one page asked for is useless to the others,
    and one viewer could ask for thousands of them.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        """All entries together, their keys included."""
        # By (group, key), used longest ago first; None was offered once.
        self._entries: OrderedDict[tuple[int, Key], Piece | None] = OrderedDict()
        self._groups: dict[int, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, group: int, key: Key) -> Piece | None:
        piece = self._entries.get((group, key))
        if piece is not None:
            self._entries.move_to_end((group, key))
        return piece

    def offer(self, group: int, key: Key, piece: Piece) -> None:
        """Keep a piece, if it was offered before and fits."""
        was_offered = (group, key) in self._entries
        if was_offered:
            self._remove(group, key)
        self._entries[group, key] = piece if was_offered else None
        self._groups.setdefault(group, set()).add(key)
        self.held_bytes += _cost(self._entries[group, key])
        while self.held_bytes > self.most_bytes:
            self._remove(*next(iter(self._entries)))

    def clear(self) -> None:
        self._entries.clear()
        self._groups.clear()
        self.held_bytes = 0

    def remove_group(self, group: int) -> None:
        for key in list(self._groups.get(group, ())):
            self._remove(group, key)

    def _remove(self, group: int, key: Key) -> None:
        self.held_bytes -= _cost(self._entries.pop((group, key)))
        keys = self._groups[group]
        keys.remove(key)
        if not keys:
            del self._groups[group]


def _cost(piece: Piece | None) -> int:
    return KEY_BYTES + (len(piece.data) if piece else 0)
