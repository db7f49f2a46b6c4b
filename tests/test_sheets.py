"""A spreadsheet shows what strangers said, and computes nothing of it."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sheets import BOM, Value, csv_cell, csv_row, is_guarded, text_of

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


@pytest.mark.parametrize(
    "text",
    [
        *(
            "919876543210",
            "0042",
            "12345678901234567890",
            "1" * 49,
            "1203e77",
            "1E+3",
            "00:01:07",
            ".5",
            "10.",
            "12dec77",
        ),
        *("2025-12-19 16:01:07", "2025-12-19T16:01:07+05:30", "19-Dec-25", "19 Dec 2025, 4:01 pm", "Dec 19", "5月3日"),
        *("19 दिसंबर 2025", "98765 43210", "3/4", "1-2-3", "1,234", "50%", "(5)", "₹500", "Rs. 500", "1 1/2", "१२३"),
        *("１２３", " 42", "42 ", "\u200b42", "true", "FALSE", "#NAME?", "#N/A", "#DIV/0!", "####"),
    ],
)
def test_text_that_a_spreadsheet_would_convert_has_an_apostrophe(text: str) -> None:
    assert csv_cell(text) == "'" + text
    assert is_guarded(csv_cell(text))


@pytest.mark.parametrize(
    "text",
    [
        *("2303fa770b666a64ab1694c1e", "outbound", "CLIENT_INITIATED", "s1", "v2.1 final", "Flat 12", "truth"),
        *("https://example.com/a.mp3?n=1", "Asked for 2 more", '{"a": 1}', "87•••••109", "2025-12-19T10:31:07Z"),
        *("north-2026-batch", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 times, he said"),
    ],
)
def test_text_that_every_spreadsheet_keeps_has_none(text: str) -> None:
    assert csv_cell(text) == text
    assert not is_guarded(text)


def test_numbers_of_number_columns_stay_numbers_where_all_of_them_is_shown() -> None:
    values = (120, 67.5, 0, Value("120"), Value("true"), Value("67.25"), True)
    assert csv_row(values) == b'"120","67.5","0","120","true","67.25","true"\r\n'
    long = (123456789012, 1.2e22, Value("0.1234567890123"), Value("-1"), Value("1e+16"), "120")
    expected = ("'123456789012", "'1.2e+22", "'0.1234567890123", "'-1", "'1e+16", "'120")
    assert next(iter(rows_of(csv_row(long).decode()))) == list(expected)


@given(st.text("0123456789eE.,:/- '+%TRUEtrue#", max_size=12))
def test_an_apostrophe_of_ours_is_told_from_one_of_the_text(text: str) -> None:
    cell = csv_cell(text)
    assert is_guarded(cell) == (cell != text)
    assert text_of(cell) == text


def test_half_a_letter_becomes_a_question_mark() -> None:
    assert csv_row(["a\ud83d"]) == b'"a?"\r\n'


def test_excel_is_told_that_it_is_utf_8() -> None:
    assert BOM.decode("utf-8") == "\ufeff"
