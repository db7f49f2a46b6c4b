"""A spreadsheet shows what strangers said, and computes nothing of it."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sheets import BOM, csv_cell, csv_row, text_of

TRIGGERS = "=+-@\t\r\n＝＋－＠"
BLANKS = " \t\r\n\x0b\x0c\xa0\u2003\u200b\u2060\ufeff\u202e\x00"
nasty = st.text(
    alphabet=st.one_of(st.sampled_from(TRIGGERS + BLANKS + "'\",;"), st.characters(codec="utf-8")), max_size=12
)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(nasty)
def test_no_cell_begins_with_what_begins_a_formula(text: str) -> None:
    cell = csv_cell(text)
    assert not cell.startswith(tuple(TRIGGERS))
    seen = cell.lstrip(BLANKS)
    assert not seen.startswith(tuple(TRIGGERS))
    assert unicodedata.normalize("NFKC", seen)[:1] not in tuple("=+-@")


@given(nasty)
def test_every_value_can_be_had_back(text: str) -> None:
    assert text_of(csv_cell(text)) == text


@given(st.lists(st.lists(nasty, min_size=2, max_size=4), min_size=1, max_size=4))
def test_a_table_is_read_back_as_it_was(table: list[list[str]]) -> None:
    written = b"".join(map(csv_row, table)).decode()
    assert [[text_of(cell) for cell in row] for row in rows_of(written)] == table


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("Asha", "Asha"),
        ("a=b", "a=b"),
        ("+919876543210", "'+919876543210"),
        ('=HYPERLINK("http://evil.example")', '\'=HYPERLINK("http://evil.example")'),
        ("  =1+1", "'  =1+1"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("＝1+1", "'＝1+1"),
        ("﹢1", "'﹢1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("\x00=1", "'\x00=1"),
        ("-1", "'-1"),
        ("'quoted'", "''quoted'"),
        ("नमस्ते", "नमस्ते"),
    ],
)
def test_a_cell(text: str, cell: str) -> None:
    assert csv_cell(text) == cell


def test_a_row_is_quoted_as_rfc_4180_says() -> None:
    assert csv_row(["a", 'b"c', "d,e\nf", None, True, False, 3, -1]) == (
        b'"a","b""c","d,e\nf","","true","false","3","\'-1"\r\n'
    )


def test_half_a_letter_becomes_a_question_mark() -> None:
    assert csv_row(["a\ud83d"]) == b'"a?"\r\n'


def test_excel_is_told_that_it_is_utf_8() -> None:
    assert BOM.decode("utf-8") == "\ufeff"
