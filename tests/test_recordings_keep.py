"""The folder of kept recordings: real files, real locks, a full disk, a crash."""

from __future__ import annotations

import asyncio
import hashlib
import stat
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.recordings.keep import GIB, DiskLow, Keep, _Draft
from tests.full_disk import files_end_at
from tests.recording_host import put

AUDIO = b"\xff\xfb\x90\x00" * 1000


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def files(keep: Keep) -> list[Path]:
    return [path for path in keep.folder.rglob("*") if path.is_file()]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    return Keep(tmp_path / "recordings", low_water=0)


async def test_a_recording_is_kept_under_the_hash_of_its_bytes(keep: Keep) -> None:
    kept = await put(keep, chunks(AUDIO[:7], AUDIO[7:]))
    name = hashlib.sha256(AUDIO).hexdigest()
    assert kept == (name, len(AUDIO))
    assert keep.path(name).relative_to(keep.folder) == Path(name[:2], name)
    assert keep.path(name).read_bytes() == AUDIO
    assert files(keep) == [keep.path(name)]


async def test_nobody_else_on_the_machine_may_read_a_recording(keep: Keep) -> None:
    kept = await put(keep, chunks(AUDIO))
    path = keep.path(kept.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(keep.folder.stat().st_mode) == 0o700


async def test_the_same_recording_from_two_calls_is_kept_once(keep: Keep) -> None:
    first, second = await asyncio.gather(put(keep, chunks(AUDIO)), put(keep, chunks(AUDIO)))
    assert first == second
    assert len(files(keep)) == 1


async def test_a_symlink_in_the_place_of_a_recording_is_replaced_and_not_followed(keep: Keep, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    place = keep.path(hashlib.sha256(AUDIO).hexdigest())
    place.parent.mkdir()
    place.symlink_to(victim)
    await put(keep, chunks(AUDIO))
    assert victim.read_text() == "untouched"
    assert not place.is_symlink()


async def test_the_bytes_and_both_folders_are_synced_before_a_recording_counts_as_kept(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    kept = await put(keep, chunks(AUDIO))
    assert synced[0].endswith(".part")
    assert synced[1:] == [str(keep.path(kept.name).parent), str(keep.folder)]


async def test_a_source_that_breaks_off_leaves_nothing(keep: Keep) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield AUDIO
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await put(keep, broken())
    assert files(keep) == []


async def test_a_low_disk_keeps_no_recording_and_says_what_to_do(tmp_path: Path) -> None:
    keep = Keep(tmp_path, low_water=2**62)
    with pytest.raises(DiskLow, match=r"MiB left and 4,398,046,511,104 MiB are kept free .* Free some space"):
        await put(keep, chunks(AUDIO))
    assert files(keep) == []


async def test_a_disk_that_runs_low_halfway_stops_the_recording(tmp_path: Path) -> None:
    class Shrinking(Keep):
        left = 3 * len(AUDIO)

        def free_bytes(self) -> int:
            self.left -= len(AUDIO)
            return self.left

    keep = Shrinking(tmp_path, low_water=0)
    with pytest.raises(DiskLow):
        await put(keep, chunks(*[AUDIO] * 5))
    assert files(keep) == []


def test_room_is_left_to_the_last_byte(tmp_path: Path) -> None:
    class Almost(Keep):
        def free_bytes(self) -> int:
            return 1000

    keep = Almost(tmp_path, low_water=900)
    keep.check_room(100)
    with pytest.raises(DiskLow):
        keep.check_room(101)


def test_by_default_a_twentieth_of_a_small_disk_and_one_gib_of_a_large_one_stay_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def low_water_of(total: int) -> int:
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"total": total, "free": total}))
        return Keep(tmp_path).low_water

    assert low_water_of(10 * GIB) == GIB // 2
    assert low_water_of(500 * GIB) == GIB


async def test_a_write_that_fails_leaves_nothing(keep: Keep) -> None:
    with files_end_at(8 * len(AUDIO)), pytest.raises(OSError, match="File too large"):
        await put(keep, chunks(*[AUDIO] * 20))
    assert files(keep) == []


@pytest.mark.parametrize("step", ["open", "write"])
async def test_a_recording_cancelled_while_its_thread_is_at_work_leaves_nothing(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    at_work, given_up = threading.Event(), threading.Event()
    discard = _Draft.discard

    def stand_still(self: Keep, coming: int = 0) -> None:
        if (step == "write") == bool(coming):
            at_work.set()
            assert given_up.wait(5)

    def give_up(draft: _Draft) -> None:
        given_up.set()
        discard(draft)

    monkeypatch.setattr(Keep, "check_room", stand_still)
    monkeypatch.setattr(_Draft, "discard", give_up)
    task = asyncio.create_task(put(keep, chunks(AUDIO)))
    assert await asyncio.to_thread(at_work.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(keep) == []


def test_a_recording_given_up_before_its_thread_began_makes_no_file(keep: Keep) -> None:
    draft = _Draft(keep)
    draft.discard()
    with pytest.raises(ValueError, match="given up"):
        draft.open()
    assert files(keep) == []


async def test_a_crash_in_the_middle_leaves_a_file_that_the_next_start_sweeps_away(keep: Keep) -> None:
    crash = """
import asyncio, os, sys
from pathlib import Path
from dashboard.recordings.keep import Keep
from tests.recording_host import put

async def audio():
    yield b"x" * 100_000
    os._exit(9)

asyncio.run(put(Keep(Path(sys.argv[1]), low_water=0), audio()))
"""
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", crash, keep.folder, cwd=Path(__file__).parents[1])
    assert await died.wait() == 9
    assert [path.suffix for path in files(keep)] == [".part"]
    assert await keep.sweep() == 1
    assert files(keep) == []


async def test_a_sweep_touches_neither_kept_recordings_nor_one_that_is_coming_in(keep: Keep) -> None:
    swept: list[int] = []

    async def swept_in_the_middle() -> AsyncIterator[bytes]:
        yield AUDIO
        swept.append(await keep.sweep())
        yield AUDIO

    await put(keep, chunks(AUDIO))
    kept = await put(keep, swept_in_the_middle())
    assert swept == [0]
    assert keep.path(kept.name).read_bytes() == AUDIO * 2
    assert await keep.sweep() == 0
    assert len(files(keep)) == 2


async def test_a_removed_recording_is_gone_and_removing_it_again_is_no_error(keep: Keep) -> None:
    kept = await put(keep, chunks(AUDIO))
    assert not await keep.remove(kept.name, rest_seconds=60)
    assert keep.path(kept.name).exists()
    assert await keep.remove(kept.name)
    assert not keep.path(kept.name).exists()
    assert await keep.remove(kept.name, rest_seconds=60), "what is not there is gone"
    assert files(keep) == []


GOOD_NAME = "0123456789abcdef" * 4


@given(
    st.text()
    | st.from_regex(r"[0-9a-fA-F./\x00\n]{64,65}", fullmatch=True)
    | st.sampled_from(
        ["..", "../" * 20, "CON", "a" * 300, GOOD_NAME + "\n", GOOD_NAME.upper(), "٣" * 64, "/" + "0" * 63]
    )
)
def test_a_name_that_is_not_a_hash_leads_nowhere(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    keep = Keep(tmp_path_factory.getbasetemp() / "names", low_water=0)
    if len(name) == 64 and set(name) <= set("0123456789abcdef"):
        assert keep.path(name).parent.parent == keep.folder
    else:
        with pytest.raises(ValueError, match="64 hex digits"):
            keep.path(name)
