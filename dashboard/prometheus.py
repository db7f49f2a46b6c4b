"""Figures for programs that watch the board, in the text format of Prometheus. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge", "histogram"]


class Histogram:
    """How many values were at most so large, for a few bounds: one addition for each value, whatever is asked later."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, *bounds: float) -> None:
        """`bounds` in rising order; what is above the last one is counted too."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Sample(NamedTuple):
    """One line: the name's ending, the labels (whose values are ours, never of a call), the number."""

    suffix: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Measure(NamedTuple):
    """One thing that is measured: its name, its kind, what it is in a sentence, and its lines."""

    name: str
    kind: Kind
    words: str
    samples: Sequence[Sample]


def counter(name: str, words: str, value: float) -> Measure:
    return Measure(name, "counter", words, [Sample("", (), value)])


def gauge(name: str, words: str, value: float) -> Measure:
    return Measure(name, "gauge", words, [Sample("", (), value)])


def counted_by(name: str, words: str, label: str, values: Mapping[str, float], *, kind: Kind = "counter") -> Measure:
    """One line for each value of a label."""
    return Measure(name, kind, words, [Sample("", ((label, key),), values[key]) for key in sorted(values)])


def histogram(name: str, words: str, measured: Histogram) -> Measure:
    samples, so_far = [], 0
    for bound, count in zip((*measured.bounds, math.inf), measured.counts, strict=True):
        so_far += count
        samples.append(Sample("_bucket", (("le", _number(bound)),), so_far))
    samples += [Sample("_sum", (), measured.total), Sample("_count", (), so_far)]
    return Measure(name, "histogram", words, samples)


def as_text(measures: Iterable[Measure]) -> str:
    """The whole page. Names and labels are expected to be ours; what would break a line is escaped all the same."""
    lines = []
    for measure in measures:
        lines.append(f"# HELP {measure.name} {_escaped(measure.words)}")
        lines.append(f"# TYPE {measure.name} {measure.kind}")
        for suffix, labels, value in measure.samples:
            pairs = ",".join(f'{name}="{_escaped(text, quote=True)}"' for name, text in labels)
            lines.append(f"{measure.name}{suffix}{'{' + pairs + '}' if pairs else ''} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text
