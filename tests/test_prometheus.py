"""The text format of Prometheus, and how values are counted for it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dashboard.prometheus import Histogram, as_text, counted_by, counter, gauge, histogram

LINE = re.compile(
    r"# (HELP|TYPE) [a-z_]+ [^\n]+"
    r'|[a-z_]+(\{[a-z_]+="(\\[\\n"]|[^\\\n"])*"(,[a-z_]+="(\\[\\n"]|[^\\\n"])*")*\})? [-+0-9.eInf]+'
)


def test_a_counter_is_three_lines() -> None:
    text = as_text([counter("calls_total", "How many calls.", 3)])
    assert text == "# HELP calls_total How many calls.\n# TYPE calls_total counter\ncalls_total 3\n"


def test_values_with_a_label_stand_in_one_family_in_order() -> None:
    text = as_text([counted_by("answers", "By status.", "status", {"503": 2, "200": 1.5}, kind="gauge")])
    assert text.splitlines()[1:] == ["# TYPE answers gauge", 'answers{status="200"} 1.5', 'answers{status="503"} 2']


def test_a_histogram_counts_everything_up_to_each_bound() -> None:
    seconds = Histogram(0.1, 1)
    for value in (0.05, 0.1, 0.5, 7):
        seconds.observe(value)
    lines = as_text([histogram("took", "How long.", seconds)]).splitlines()
    assert lines[2:] == [
        'took_bucket{le="0.1"} 2',
        'took_bucket{le="1"} 3',
        'took_bucket{le="+Inf"} 4',
        "took_sum 7.65",
        "took_count 4",
    ]


@given(st.lists(st.floats(-1e9, 1e9)), st.lists(st.floats(-1e6, 1e6), unique=True, min_size=1).map(sorted))
def test_every_value_is_in_all_buckets_from_its_own_on(values: list[float], bounds: list[float]) -> None:
    measured = Histogram(*bounds)
    for value in values:
        measured.observe(value)
    counts = [sample.value for sample in histogram("a", "b", measured).samples[:-2]]
    assert counts == [*(sum(value <= bound for value in values) for bound in bounds), len(values)]


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)), st.text(min_size=1))
def test_no_text_breaks_a_line(values: dict[str, float], words: str) -> None:
    text = as_text([gauge("a", "A.", 1), counted_by("b", "B" + words, "label", values)])
    for line in text.removesuffix("\n").split("\n"):
        assert LINE.fullmatch(line), line
