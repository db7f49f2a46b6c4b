"""Every kind of recording that hosts send, fetched over HTTP into a real store: kept, tried again or given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashboard.archive import Archive
from dashboard.credentials import read_credentials
from dashboard.database import Database
from dashboard.migrations import migrate
from dashboard.recordings.audio import is_played
from dashboard.recordings.keep import Keep
from dashboard.recordings.outcomes import Access
from tests.recording_cases import CREDENTIAL, DOWNLOAD, MAX_BYTES, PLAYED, cases
from tests.recording_host import RecordingHost, status
from tests.reports import report
from tests.stored import rows, store

CEILING = 120.0


class Fetched(NamedTuple):
    """What one round over all cases has left: the rows by case, the folder, and the values of {host} and {listed}."""

    rows: dict[str, dict[str, Any]]
    keep: Keep
    places: dict[str, str]
    began: int


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetched]:
    folder = tmp_path_factory.mktemp("table")
    database = Database(f"sqlite:///{folder / 'callboard.db'}")
    migrate(database)
    yield asyncio.run(fetch_all(database, folder / "recordings"))
    database.close()


async def fetch_all(database: Database, folder: Path) -> Fetched:
    """One attempt at each."""
    began = time.time_ns() // 1000
    answers = {f"/{name}": case.answer for name, case in cases().items() if case.answer}
    async with RecordingHost(answers) as host, RecordingHost({"/secret": status(401)}) as listed:
        places = {"host": host.pair, "listed": listed.pair}
        urls = [(case.url or host.url(f"/{name}")).format(**places) for name, case in cases().items()]
        await asyncio.to_thread(
            store, database, *(report(name, recordingUrl=url) for name, url in zip(cases(), urls, strict=True))
        )
        keep = Keep(folder, low_water=0)
        pairs = (host.pair, listed.pair)
        access = Access(pairs, read_credentials(f"http://{host.pair}={CREDENTIAL}", pairs), MAX_BYTES)
        archive = asyncio.create_task(Archive(database, keep, access).run())
        async with asyncio.timeout(CEILING):
            while True:
                found = await asyncio.to_thread(rows, database, "recording")
                if all(row["state"] != "waiting" or row["problem"] for row in found):
                    break
                await asyncio.sleep(0.1)
        archive.cancel()
        await asyncio.wait([archive])
    return Fetched(dict(zip(cases(), found, strict=True)), keep, places, began)


@pytest.mark.parametrize("name", cases())
def test_each_kind_of_recording_is_kept_tried_again_or_given_up_with_the_true_reason(
    fetched: Fetched, name: str
) -> None:
    case, row = cases()[name], fetched.rows[name]
    assert (row["state"], row["problem"]) == (case.state, row["problem"]), row["problem"]
    assert row["cause"].startswith(case.cause.format(**fetched.places)) if case.cause else row["cause"] == ""
    assert case.words.format(**fetched.places) in row["problem"]
    assert bool(row["problem"]) == bool(case.words), "a sentence exactly where something is wrong"
    assert row["content_type"] == case.kind
    assert how(row) == case.as_
    assert row["size"] == (fetched.keep.path(row["file"]).stat().st_size if row["file"] else 0)


def how(row: dict[str, Any]) -> str:
    if not row["file"]:
        return ""
    return PLAYED if is_played(row["content_type"], row["codec"]) else DOWNLOAD


def test_the_table_has_forty_kinds_and_more() -> None:
    assert len(cases()) >= 40
    assert {case.state for case in cases().values()} == {"kept", "waiting", "failed"}


def test_what_was_packed_is_kept_unpacked(fetched: Fetched) -> None:
    plain = fetched.rows["wav"]["file"]
    packed = ("gzip", "deflate", "deflate-raw", "brotli", "gzip-twice")
    assert {fetched.rows[name]["file"] for name in packed} == {plain}


def test_nothing_is_left_of_what_was_not_kept(fetched: Fetched) -> None:
    files = {path.name for path in fetched.keep.folder.rglob("*") if path.is_file()}
    assert files == {row["file"] for row in fetched.rows.values() if row["file"]}


@pytest.mark.parametrize("name", ["busy", "away"])
def test_a_host_that_says_when_to_come_again_is_left_alone_until_then(fetched: Fetched, name: str) -> None:
    assert fetched.rows[name]["due_at"] >= fetched.began + 900 * 1_000_000


def test_no_sentence_quotes_an_address_or_a_credential(fetched: Fetched) -> None:
    for row in fetched.rows.values():
        text = row["problem"] + row["cause"]
        assert not any(part in text for part in ("/a.mp3", "Amz", "ss w", "asha", "a:b@"))
