"""The shape of a conversation: one opening, a few questions, several endings. Holds no text of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | bool


@dataclass(frozen=True)
class Clip:
    """A recording in `clips/`: `turns` is what it says, in the letters its voices can read."""

    name: str
    seconds: int
    voices: tuple[str, str]  # the agent's and the person's, as espeak-ng names them
    turns: tuple[str, ...]


@dataclass(frozen=True)
class Ending:
    """How a conversation closes. Words in {braces} are the person's: {name}, {city}, {day} or a campaign's column."""

    turns: tuple[str, ...]
    disposition: str
    found: Mapping[str, tuple[Value, str]] = field(default_factory=dict)  # variable → value, comment
    converted: bool = False
    callback: bool = False
    functions: tuple[str, ...] = ()
    weight: int = 1
    clip: str = ""  # a recording of the whole call; without one the recording stops after the opening
    clip_seconds: int = 0
    spoken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """Opening and questions have an even number of turns, so that the agent always speaks next."""

    clip: str
    clip_seconds: int
    voices: tuple[str, str]
    opening: tuple[str, ...]
    endings: tuple[Ending, ...]
    variables: Mapping[str, Value] = field(default_factory=dict)  # what the agent fills in, with its default
    questions: tuple[tuple[str, str], ...] = ()
    spoken: tuple[str, ...] = ()  # the opening in the voices' letters, where those of the transcript are others

    def clips(self) -> list[Clip]:
        """Every recording this conversation needs; the whole calls repeat the opening."""
        opening = self.spoken or self.opening
        whole = [
            Clip(ending.clip, ending.clip_seconds, self.voices, opening + (ending.spoken or ending.turns))
            for ending in self.endings
            if ending.clip
        ]
        return [Clip(self.clip, self.clip_seconds, self.voices, opening), *whole]
