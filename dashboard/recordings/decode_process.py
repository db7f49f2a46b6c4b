"""The process that decodes the beginning of recordings: a path a line on standard input, a JSON object a line back.

A process of its own, because FFmpeg parses bytes from outside: a file that crashes it, or fills its memory, ends this
process and not the server. It is started by path (`decoder.py`) and imports nothing of the project, so that it loads
quickly and holds no settings.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.logging

if TYPE_CHECKING:
    from av.container import InputContainer

MEMORY_BYTES = 512 * 1024**2
"""Of address space: Python and the libraries map 125 MB of it before the first file."""
DECODED_SECONDS = 3.0
"""How much of each recording is decoded; the rest is only counted."""
COUNTING_SECONDS = 3.0
"""How long the rest is counted at most: a day of MP3 has three million packets."""
MOST_ERRORS = 50
# What recordings come in. FFmpeg knows some 300 formats more, of which several open further files or addresses.
CONTAINERS = "mp3,aac,mov,mp4,m4a,3gp,3g2,mj2,ogg,matroska,webm,flac,wav,w64,amr,au,aiff,caf,asf"
DECODERS = (
    "mp3,mp3float,mp2,mp2float,aac,opus,libopus,vorbis,flac,alac,speex,libspeex,"
    "pcm_s8,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,"
    "pcm_mulaw,pcm_alaw,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_yamaha,g722,g726,g726le,g729,g723_1,gsm,gsm_ms,truespeech,"
    "amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,wmav1,wmav2,wmapro,wmavoice"
)
# Containers whose own length is written in them, not guessed from the size of the file.
_KNOW_THEIR_LENGTH = ("mov", "matroska", "flac")
_OPTIONS = {
    "format_whitelist": CONTAINERS,
    "codec_whitelist": DECODERS,
    # No such protocol exists: a recording that names other files or addresses gets none of them.
    "protocol_whitelist": "none",
    "probesize": "2000000",
}


def examine(path: str) -> dict[str, Any]:
    """What the file at `path` holds.

    `problem` is "unknown" where no decoder reads it and "silent" where it has no sample of sound; else "".
    `container` and `codec` are FFmpeg's names, and `is_cut` says that the file itself announces more than it has.
    """
    try:
        with (
            Path(path).open("rb") as file,
            av.open(file, "r", options=_OPTIONS, metadata_errors="replace") as container,
        ):
            found = _listen(container)
            file.seek(0)
            found["is_cut"] = found["is_cut"] or _announces_more(file.read(12), os.fstat(file.fileno()).st_size)
            return found
    except Exception:  # noqa: BLE001 - whatever a file does to the libraries, the next one is to be examined
        return {"problem": "unknown"}


def _listen(container: InputContainer) -> dict[str, Any]:
    """Decode the first seconds of the first audio stream, and count its other packets."""
    if not container.streams.audio:
        return {"problem": "silent", "is_cut": False}
    stream = container.streams.audio[0]
    context = stream.codec_context
    context.thread_count = 1
    samples = frames = errors = 0
    end, until = 0.0, time.monotonic() + COUNTING_SECONDS
    with suppress(av.FFmpegError):
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                end = max(
                    end, float((packet.pts - (stream.start_time or 0) + (packet.duration or 0)) * packet.time_base)
                )
            if samples < DECODED_SECONDS * (context.sample_rate or 8000) and errors < MOST_ERRORS:
                try:
                    for frame in packet.decode():
                        samples += frame.samples
                        frames += 1
                except av.FFmpegError:
                    errors += 1
            if time.monotonic() > until:
                end = math.inf  # the rest is taken to be there
                break
    if not samples or frames <= errors // 2:
        return {"problem": "unknown" if errors else "silent", "is_cut": False}
    announced = container.duration / av.time_base if container.duration else 0.0
    knows = container.format.name.startswith(_KNOW_THEIR_LENGTH)
    return {
        "problem": "",
        "container": container.format.name,
        "codec": context.codec.canonical_name,
        "is_cut": knows and end + 1 + announced / 10 < announced,
    }


def _announces_more(head: bytes, size: int) -> bool:
    """Whether a WAV header gives a length that the file does not have. FFmpeg takes the shorter one without a word."""
    announced = int.from_bytes(head[4:8], "little") + 8
    # A writer that does not know the length yet leaves 0 or the largest numbers there; others are off by a few bytes.
    return head[:4] == b"RIFF" and size + 64 + announced // 100 < announced < 0x7FFFFFF0


def _limit() -> None:
    """Bound what a damaged or hostile file can make this process take; where the system is stricter, that counts."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(OSError, ValueError):  # macOS takes no limit of address space
            resource.setrlimit(kind, (limit, limit))


def main() -> None:
    _limit()
    av.logging.set_level(None)
    for line in sys.stdin:
        print(json.dumps(examine(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
