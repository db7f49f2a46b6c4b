"""A disk that runs full: recordings end first, then reports are refused before anything is written; all by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dashboard.database.clock import head_of
from dashboard.disk import MIB, Reserve
from dashboard.notices import short_of_room
from dashboard.recordings.keep import Keep
from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK, report

MakeApp = Callable[..., Awaitable[Callboard]]


class Disk:
    """A disk with as much room as the test says."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.looks = 0

    def look(self, _: Path) -> int:
        self.looks += 1
        return self.free


def test_a_disk_is_looked_at_once_a_second_however_often_one_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("dashboard.disk.time.monotonic", lambda: now)
    disk = Disk(free=10)
    reserve = Reserve(tmp_path, 11, free=disk.look)
    assert all(reserve.is_short() for _ in range(1000))
    assert disk.looks == 1
    disk.free = 11
    now += 1
    assert not reserve.is_short()
    assert disk.looks == 2


def test_without_a_folder_or_a_reserve_there_is_always_room(tmp_path: Path) -> None:
    disk = Disk(free=0)
    assert not Reserve(None, 10, free=disk.look).is_short()
    assert not Reserve(tmp_path, 0, free=disk.look).is_short()


def test_a_disk_that_cannot_be_asked_is_no_reason_to_refuse(tmp_path: Path) -> None:
    def fail(_: Path) -> int:
        raise OSError

    assert not Reserve(tmp_path, 10, free=fail).is_short()


async def test_below_the_reserve_reports_are_refused_and_the_board_says_so_until_there_is_room_again(
    app: Callboard,
) -> None:
    client = app.test_client()
    assert (await client.post(WEBHOOK, data=report("before"))).status_code == 200
    disk = Disk(free=12 * MIB)
    app.reserve._look, app.reserve._known_until = disk.look, 0.0
    response = await client.post(WEBHOOK, data=report("refused"))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "disk is nearly full" in (await response.get_json())["message"]
    app.feed._beat()
    page = await (await client.get("/")).get_data(as_text=True)
    assert 'data-notice="disk"' in page
    assert "12 MiB left" in page
    assert await app.database.read(head_of) == 1
    disk.free, app.reserve._known_until = 64 * MIB, 0.0
    assert (await client.post(WEBHOOK, data=report("after"))).status_code == 200
    app.feed._beat()
    assert 'data-notice="disk"' not in await (await client.get("/")).get_data(as_text=True)


async def test_recordings_end_long_before_reports_and_cost_no_attempt_meanwhile(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = await make_app(disk_reserve=4096 * MIB)
    assert app.keep.low_water == 8192 * MIB
    assert Keep(tmp_path / "recordings").low_water < 8192 * MIB
    disk = Disk(free=5000 * MIB)
    for reserve in (app.archive.room, app.reserve):
        reserve._look, reserve._known_until = disk.look, 0.0
    response = await app.test_client().post(WEBHOOK, data=report("a", recordingUrl="https://recordings.example/a.mp3"))
    assert response.status_code == 200
    assert await app.archive._round() == []
    app.feed._beat()
    assert "recordings are not fetched" in app.feed.notices
    disk.free = 9000 * MIB
    app.archive.room._known_until = 0.0
    assert [recording.attempts for recording in await app.archive._round()] == [1]


def test_nothing_is_said_while_there_is_room() -> None:
    assert short_of_room(10**12, refuses=False, keeps=True) is None
    low = short_of_room(900 * MIB, refuses=False, keeps=False)
    assert low is not None
    assert (low.kind, "900 MiB left" in low.words) == ("disk", True)
