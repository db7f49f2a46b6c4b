"""The process that decodes: started when it is needed, replaced when it dies or hangs, bounded in what it takes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from dashboard.recordings.decoder import LATE, UNKNOWN, Decoder, Sound
from tests.audio_samples import gsm_wav, mp3, wav


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    made = Decoder()
    yield made
    await made.close()


def file(folder: Path, body: bytes) -> Path:
    path = folder / "recording"
    path.write_bytes(body)
    return path


async def test_a_recording_is_told_by_its_sound(decoder: Decoder, tmp_path: Path) -> None:
    assert decoder.pid is None, "no process before the first recording"
    assert await decoder.examine(file(tmp_path, gsm_wav())) == Sound("wav", "gsm_ms")
    assert await decoder.examine(file(tmp_path, b"no audio at all" * 999)) == UNKNOWN
    assert await decoder.examine(tmp_path / "not there") == UNKNOWN
    pid = decoder.pid
    assert await decoder.examine(file(tmp_path, mp3())) == Sound("mp3", "mp3")
    assert decoder.pid == pid, "one process for all"


async def test_a_playlist_that_names_another_file_opens_none(decoder: Decoder, tmp_path: Path) -> None:
    inner = tmp_path / "inner.wav"
    inner.write_bytes(wav())
    for text in (f"ffconcat version 1.0\nfile '{inner}'\n", f"#EXTM3U\n#EXTINF:1,\nfile://{inner}\n#EXT-X-ENDLIST\n"):
        assert await decoder.examine(file(tmp_path, text.encode())) == UNKNOWN


async def test_a_process_that_was_killed_is_replaced_and_the_recording_is_read_all_the_same(
    decoder: Decoder, tmp_path: Path
) -> None:
    path = file(tmp_path, wav())
    await decoder.examine(path)
    assert decoder.pid is not None
    os.kill(decoder.pid, signal.SIGKILL)
    assert (await decoder.examine(path)).codec == "pcm_s16le"


async def test_a_file_over_which_the_process_ends_is_unknown_and_harms_no_other(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "crashes.py"
    program.write_text("import sys, os\nsys.stdin.readline()\nos.abort()\n")
    with monkeypatch.context() as patch:
        patch.setattr("dashboard.recordings.decoder._PROGRAM", program)
        assert await decoder.examine(file(tmp_path, wav())) == UNKNOWN
    assert (await decoder.examine(file(tmp_path, wav()))).codec == "pcm_s16le"


async def test_a_process_that_hangs_is_given_up_and_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    decoder = Decoder(answer_seconds=1.0)
    path = file(tmp_path, wav())
    while (await decoder.examine(path)) == LATE:
        pass  # on a busy machine the start alone may take a second
    assert decoder.pid is not None
    os.kill(decoder.pid, signal.SIGSTOP)
    examining = asyncio.create_task(decoder.examine(path))
    ticks = 0
    while not examining.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 5
    assert examining.result() == LATE
    assert decoder.pid not in psutil.pids()
    await decoder.close()


async def test_a_process_that_has_nothing_to_do_ends(tmp_path: Path) -> None:
    decoder = Decoder(idle_seconds=0.05)
    await decoder.examine(file(tmp_path, wav()))
    assert decoder.pid is not None
    process = psutil.Process(decoder.pid)
    await asyncio.to_thread(process.wait, 10)
    assert not process.is_running()
    assert (await decoder.examine(file(tmp_path, wav()))).codec == "pcm_s16le"
    await decoder.close()


async def test_the_process_is_bounded_and_has_none_of_our_secrets(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHBOARD_RECORDING_AUTH", "hush")
    monkeypatch.setenv("DATABASE_URL", "hush")
    await decoder.examine(file(tmp_path, wav()))
    process = psutil.Process(decoder.pid)
    assert process.rlimit(psutil.RLIMIT_AS) == (512 * 1024**2,) * 2
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert "hush" not in str(process.environ())


async def test_several_recordings_at_once_each_get_their_own_answer(decoder: Decoder, tmp_path: Path) -> None:
    bodies = {"a": wav(), "b": mp3(), "c": gsm_wav(), "d": b"nothing" * 1000}
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    sounds = await asyncio.gather(*(decoder.examine(tmp_path / name) for name in bodies))
    assert [sound.codec for sound in sounds] == ["pcm_s16le", "mp3", "gsm_ms", ""]


async def test_one_that_was_cancelled_leaves_no_answer_for_the_next(decoder: Decoder, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(gsm_wav())
    second.write_bytes(mp3())
    cancelled = asyncio.create_task(decoder.examine(first))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert (await decoder.examine(second)).codec == "mp3"


def test_a_start_of_the_board_loads_no_decoder() -> None:
    loaded = "import sys, dashboard.app, dashboard.__main__; print('av' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert ran.stdout == "False\n"
