"""What decoded sound is called, and whether browsers play it. Pure; opens no file."""

from __future__ import annotations

# FFmpeg's container, and the media type under which browsers take it. The host is not asked: error pages come as
# audio/mpeg, too.
_TYPES = {
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "mov,mp4,m4a,3gp,3g2,mj2": "audio/mp4",
    "ogg": "audio/ogg",
    "matroska,webm": "audio/webm",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "w64": "audio/x-w64",
    "amr": "audio/amr",
    "au": "audio/basic",
    "aiff": "audio/aiff",
    "caf": "audio/x-caf",
    "asf": "audio/x-ms-wma",
}
# File names for downloads; the first that programs open.
_ENDINGS = {
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/flac": "flac",
    "audio/wav": "wav",
    "audio/x-w64": "w64",
    "audio/amr": "amr",
    "audio/basic": "au",
    "audio/aiff": "aiff",
    "audio/x-caf": "caf",
    "audio/x-ms-wma": "wma",
}
# What Chromium plays of each type, tried with files of each kind.
_COMPRESSED = frozenset({"mp3", "aac", "opus", "vorbis", "flac"})
_PCM = frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"})
_PLAYED = {
    "audio/mpeg": frozenset({"mp3"}),
    "audio/aac": frozenset({"aac"}),
    "audio/mp4": frozenset({"aac", "mp3", "opus", "flac"}),
    "audio/ogg": frozenset({"opus", "vorbis", "flac"}),
    "audio/webm": _COMPRESSED,
    "audio/flac": frozenset({"flac"}),
    "audio/wav": _PCM | {"mp3"},
}
UNKNOWN_CODEC = "unknown"
"""Of a file that an earlier version kept and that nothing decodes."""
_NAMES = {
    UNKNOWN_CODEC: "which is unknown",
    "gsm": "GSM",
    "gsm_ms": "GSM",
    "adpcm_ms": "Microsoft ADPCM",
    "adpcm_ima_wav": "IMA ADPCM",
    "adpcm_g722": "G.722",
    "adpcm_g726": "G.726",
    "g729": "G.729",
    "amr_nb": "AMR",
    "amr_wb": "AMR wideband",
    "alac": "Apple Lossless",
    "speex": "Speex",
    "mp2": "MPEG Layer II",
}
TEXT_BYTES = 4096
"""What text_kind() needs to see."""
_LINE_ENDS = frozenset("\t\n\r\f")


def media_type(container: str) -> str:
    """The media type of one of FFmpeg's containers, such as audio/mpeg."""
    return _TYPES.get(container, "application/octet-stream")


def is_played(content_type: str, codec: str) -> bool:
    """Whether browsers play this. Of recordings kept by an earlier version the codec is not known; they are tried."""
    return not codec or codec in _PLAYED.get(content_type, frozenset())


def codec_name(codec: str) -> str:
    """The codec in words for people."""
    return _NAMES.get(codec, codec.upper().replace("_", " "))


def file_ending(content_type: str) -> str:
    return _ENDINGS.get(content_type, "bin")


def text_kind(head: bytes) -> str | None:
    """What the beginning of an answer is if it is text ("a web page", "JSON", "text"), else None.

    Text is sent where a recording is not ready or needs a sign-in. No audio begins with so much of UTF-8 without a
    control character.
    """
    head = head[:TEXT_BYTES]
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 3:  # else a character is cut in two at the end
            return None
        text = head[: problem.start].decode("utf-8-sig")
    if not text.strip() or any(letter < " " and letter not in _LINE_ENDS for letter in text):
        return None
    begin = text.lstrip()[0]
    return "a web page" if begin == "<" else "JSON" if begin in "{[" else "text"
