"""The table of a run: a figure, its goal, and whether it was reached. Pure: it measures nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One promise and how it fared. `passed` is None where it was not measured; that counts as not passed."""

    what: str
    figure: str
    goal: str
    passed: bool | None

    @property
    def word(self) -> str:
        return {True: "pass", False: "FAIL", None: "not measured"}[self.passed]


@dataclass
class Run:
    """One run over some of the faults: its folder, its length, and what it has found so far."""

    folder: Path
    is_long: bool = False
    say: Callable[[str], None] = lambda line: print(line, flush=True)
    rows: list[Row] = field(default_factory=list)

    def choose(self, short: T, full: T) -> T:
        """The number that goes with the length of the run."""
        return full if self.is_long else short

    def place(self, name: str) -> Path:
        """A folder of its own for a server; it stays until the run ends, because its log is searched last."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def row(self, what: str, figure: str, goal: str, passed: bool | None) -> None:
        row = Row(what, figure, goal, passed)
        self.rows.append(row)
        self.say(f"  {row.word}: {what}: {figure} (goal: {goal})")

    def not_measured(self, what: str, why: str) -> None:
        self.row(what, f"not measured: {why}", "-", None)

    @property
    def exit_code(self) -> int:
        return int(not self.rows or any(row.passed is not True for row in self.rows))


def as_markdown(rows: list[Row]) -> str:
    """The closing table, as it stands in a README."""
    lines = ["| what | figure | goal | |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.figure} | {row.goal} | {row.word} |" for row in rows]
    return "\n".join(lines)
