"""Speaks the simulator's conversations into `clips/`; run by hand after a text changed, never at run time.

    python -m dashboard.simulator.make_clips

Needs espeak-ng and ffmpeg. Prints each clip's length: `clip_seconds` beside its text must say the same, and a test
holds the two together.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from dashboard.simulator.conversations import CLIPS, Clip

CLIPS_FOLDER = Path(__file__).parent / "clips"
BITRATE = 24_000  # constant, so that a clip's length follows from its size
WORDS_PER_MINUTE = 165
# A telephone line, evened out: narrow sound is what 24 kb/s can carry cleanly.
LINE = "highpass=f=200,lowpass=f=3600,loudnorm=I=-18:TP=-2,aresample=16000"


def make(clip: Clip, folder: Path) -> Path:
    """The agent's voice and the person's by turns, a third of a second between them."""
    turns = [_speak(text, clip.voices[speaker % 2], speaker, folder) for speaker, text in enumerate(clip.turns)]
    inputs = [argument for turn in turns for argument in ("-i", str(turn))]
    padded = "".join(f"[{index}:a]apad=pad_dur=0.33[a{index}];" for index in range(len(turns)))
    joined = "".join(f"[a{index}]" for index in range(len(turns))) + f"concat=n={len(turns)}:v=0:a=1,{LINE}[out]"
    target = CLIPS_FOLDER / f"{clip.name}.mp3"
    command = ["ffmpeg", "-y", "-loglevel", "error", *inputs, "-filter_complex", padded + joined, "-map", "[out]"]
    # No tags and no Xing frame: the same text gives the same bytes, and every frame is sound.
    encoding = ["-ac", "1", "-c:a", "libmp3lame", "-b:a", str(BITRATE), "-map_metadata", "-1", "-bitexact"]
    bare = ["-id3v2_version", "0", "-write_xing", "0"]
    subprocess.run([*command, *encoding, *bare, str(target)], check=True)
    return target


def _speak(text: str, voice: str, turn: int, folder: Path) -> Path:
    spoken = folder / f"turn-{turn}.wav"
    command = ["espeak-ng", "-v", voice, "-s", str(WORDS_PER_MINUTE), "-w", str(spoken), text]
    subprocess.run(command, check=True)
    return spoken


def main() -> int:
    CLIPS_FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for clip in CLIPS:
            size = make(clip, Path(folder)).stat().st_size
            print(f"{clip.name:22} {size * 8 / BITRATE:5.1f} s (the text says {clip.seconds})  {size:7,} bytes")
    print(f"{sum(path.stat().st_size for path in CLIPS_FOLDER.glob('*.mp3')):,} bytes in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
