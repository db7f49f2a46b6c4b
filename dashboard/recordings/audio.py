"""What is audio, by its first bytes. Opens no file."""

from __future__ import annotations

HEAD_BYTES = 12  # what audio_type() needs to see
_MP4_BRANDS = (
    b"M4A",
    b"M4B",
    b"mp4",
    b"iso",
    b"dash",
    b"3gp",
    b"3g2",
    b"MSNV",
)  # and not heic or avif, which are pictures


def audio_type(head: bytes) -> str | None:
    """The media type that the first bytes prove, or None. The host is not asked: error pages come as audio/mpeg too."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if head[:4] == b"fLaC":
        return "audio/flac"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "audio/webm"
    if head[4:8] == b"ftyp" and head[8:12].startswith(_MP4_BRANDS):
        return "audio/mp4"
    return "audio/mpeg" if _is_id3(head) or _is_mp3_frame(head) else None


def _is_id3(head: bytes) -> bool:
    # The four size bytes keep their high bit clear: that tells a tag from a text that begins with the letters ID3.
    return len(head) >= 10 and head[:3] == b"ID3" and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80


def _is_mp3_frame(head: bytes) -> bool:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    # Layer III only: FF FE, the mark at the start of UTF-16 text, would pass as Layer I.
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sample_rate != 3
