"""What a run says: lines of figures, and one verdict per goal. Pure: it measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Goal:
    """A limit that a figure must reach (`at_least`) or stay under."""

    limit: float
    at_least: bool
    unit: str = ""

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}"

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Verdict:
    """One row of the closing table."""

    what: str
    figure: str
    spread: str = ""
    goal: str = "for the record"
    met: bool | None = None

    @property
    def word(self) -> str:
        return {True: "met", False: "short", None: "-"}[self.met]


@dataclass
class Report:
    """Prints as it goes, because a run takes minutes, and keeps the verdicts for the end."""

    say: Callable[[str], None] = lambda line: print(line, flush=True)
    verdicts: list[Verdict] = field(default_factory=list)

    def title(self, text: str) -> None:
        self.say(f"\n{text}")

    def line(self, name: str, *figures: str) -> None:
        self.say(f"  {name:<34} " + "   ".join(figures))

    def figure(self, what: str, values: Sequence[float], goal: Goal | None = None, unit: str = "") -> None:
        """The median of the rounds, with its range and its verdict."""
        middle = median(values)
        spread = f"{min(values):.2f} to {max(values):.2f} in {len(values)} rounds" if len(values) > 1 else "1 round"
        met = goal.is_met(middle) if goal else None
        goal_text = str(goal) if goal else "for the record"
        self.verdicts.append(Verdict(what, f"{middle:.2f}{unit}", spread, goal_text, met))

    def not_measured(self, what: str, why: str) -> None:
        self.verdicts.append(Verdict(what, "not measured", why))

    def close(self) -> None:
        self.title("Side by side")
        width = max((len(verdict.what) for verdict in self.verdicts), default=0)
        for verdict in self.verdicts:
            goal = f"goal {verdict.goal}" if verdict.met is not None else verdict.goal
            said = "" if verdict.figure == "not measured" else f"{goal:<16} {verdict.word:<6} "
            self.say(f"  {verdict.what:<{width}}  {verdict.figure:>12}  {said}{verdict.spread}")


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, never median by median: two runs side by side share what the machine was doing then."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True) if other]


def thousands(value: float) -> str:
    return f"{value:,.0f}"
