"""CSV in the encodings and with the separators that spreadsheets write, each row with its line."""

from __future__ import annotations

import io

import pytest

from dashboard.callkaro.table_file import NotReadable, TableRow, look_at, rows_of

HINDI = "नमस्ते"


def rows(data: bytes) -> list[TableRow]:
    file: io.BufferedReader = io.BufferedReader(io.BytesIO(data))
    return list(rows_of(file, look_at(file, "callSid")))


def cells(data: bytes) -> list[dict[str, str]]:
    return [row.cells for row in rows(data)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_usual_encoding_separator_and_end_of_line_is_read(encoding: str, separator: str, end: str) -> None:
    lines = [separator.join(each) for each in (["callSid", "to"], ["a", HINDI], ['"b"', '"1;2,3\t4"'])]
    assert cells((end.join(lines) + end).encode(encoding)) == [
        {"callSid": "a", "to": HINDI},
        {"callSid": "b", "to": "1;2,3\t4"},
    ]


def test_excels_line_with_the_separator_is_no_line_of_names() -> None:
    (row,) = rows(b"sep=;\r\ncallSid;to\r\na;1,2\r\n")
    assert row == TableRow(3, {"callSid": "a", "to": "1,2"})


def test_windows_1252_is_read_where_it_is_certain_and_refused_elsewhere() -> None:
    assert cells("callSid,to\na,“quoted” – ok…\n".encode("cp1252")) == [{"callSid": "a", "to": "“quoted” – ok…"}]
    for text, encoding in (("café", "cp1252"), ("café", "cp1250"), ("звонок", "cp1251")):
        with pytest.raises(NotReadable, match="save it as CSV UTF-8"):
            rows(f"callSid,to\na,{text}\n".encode(encoding))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\x14\x00", "a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook"),
        ("\ufeffcallSid,to\na,1\n".encode().decode("cp1252").encode(), "Windows-1252"),
        (b"callSid,to,callSid\na,1,b\n", "Two of its columns"),
    ],
    ids=["xlsx", "xls", "garbled", "two columns"],
)
def test_a_file_that_is_no_certain_table_is_refused_in_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(NotReadable, match=words):
        rows(data)


def test_each_row_has_the_line_on_which_it_begins() -> None:
    found = rows(b'callSid,to\r\na,"one\r\ntwo"\r\n\r\n,\r\nb,2\r\n"c",3')
    assert [(row.line, row.cells["callSid"]) for row in found] == [(2, "a"), (6, "b"), (7, "c")]


def test_a_row_with_cells_missing_or_too_many_is_named() -> None:
    found = rows(b'callSid,to\na,1\nb\nc,1,2\nd,1,,\ne,"cut')
    assert [(row.line, row.problem[:22]) for row in found if row.problem] == [
        (3, "the row has fewer cell"),
        (4, "the row has more cells"),
        (6, "the row has fewer cell"),
    ]
    assert [row.cells["callSid"] for row in found if not row.problem] == ["a", "d"]
