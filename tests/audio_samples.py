"""Small recordings in the formats that hosts send, encoded on the spot: a tone of 440 Hz. Asserts nothing."""

from __future__ import annotations

import io
import math
import struct
from array import array
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import av
from av.audio.stream import AudioStream

SECONDS = 1.0


def encode(
    container: str,
    codec: str,
    *,
    rate: int = 8000,
    layout: str = "mono",
    seconds: float = SECONDS,
    options: Mapping[str, str] | None = None,
    codec_options: Mapping[str, str] | None = None,
) -> bytes:
    """A tone in one of FFmpeg's containers and codecs."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=dict(options or {})) as out:
        stream = cast(AudioStream, out.add_stream(cast(Any, codec), rate=rate))
        stream.layout = layout
        stream.codec_context.options = dict(codec_options or {})
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=size)
        for frame in resampler.resample(_tone(rate, seconds)) + resampler.resample(None):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def _tone(rate: int, seconds: float) -> av.AudioFrame:
    samples = array("h", (int(8000 * math.sin(math.tau * 440 * n / rate)) for n in range(int(seconds * rate))))
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate = rate
    frame.pts = 0
    return frame


@cache
def mp3() -> bytes:
    """Without a tag, so that others can be put before it."""
    return encode("mp3", "libmp3lame", options={"id3v2_version": "0", "write_xing": "0"})


@cache
def wav(codec: str = "pcm_s16le") -> bytes:
    return encode("wav", codec)


def gsm_wav() -> bytes:
    """A WAV of GSM 6.10, as telephone systems write it: 65 bytes for 40 ms."""
    data = bytes(65) * 25
    header = struct.pack("<HHIIHHHH", 0x31, 1, 8000, 1625, 65, 0, 2, 320)
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav_header() -> bytes:
    """The 44 bytes before the first sample of a WAV that was never written."""
    return b"RIFF$\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data\0\0\0\0"


def wav_of_unknown_length() -> bytes:
    """As a program writes it that sends while it records."""
    whole = wav()
    at = whole.index(b"data") + 4
    return whole[:4] + b"\xff" * 4 + whole[8:at] + b"\xff" * 4 + whole[at + 4 :]


def ape_tag() -> bytes:
    item = struct.pack("<II", 4, 0) + b"Title\0call"

    def side(flags: int) -> bytes:
        return b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, flags) + bytes(8)

    return side(0xA0000000) + item + side(0x80000000)


def id3_tag() -> bytes:
    return b"ID3\x03\0\0\0\0\x02\0" + bytes(256)


def silent_video() -> bytes:
    """An MP4 with a picture and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(5):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()
