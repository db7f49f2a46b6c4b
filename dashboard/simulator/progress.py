"""Shows how far the sending is: a bar on a terminal, a line for every tenth elsewhere. Knows numbers, not reports."""

from __future__ import annotations

import time
from typing import TextIO

BAR_WIDTH = 32
SECONDS_BETWEEN_DRAWINGS = 0.1


class Progress:
    """`total` counts calls; a report may be another one of the same call, so the bar is told how far it is."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total = max(total, 1)
        self._out = out
        self._on_terminal = out.isatty()
        self._began = time.monotonic()
        self._drawn_at = 0.0
        self._tenth = 0

    def show(self, done: int, sent: int, refused: int) -> None:
        """`done` of the total; `sent` reports so far, of which `refused` were not taken."""
        now = time.monotonic()
        tenth = done * 10 // self._total
        if self._on_terminal:
            if now - self._drawn_at < SECONDS_BETWEEN_DRAWINGS and done < self._total:
                return
            self._drawn_at = now
            filled = done * BAR_WIDTH // self._total
            self._out.write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {self._line(done, sent, refused)}\x1b[K")
        elif tenth > self._tenth:
            self._tenth = tenth
            self._out.write(f"{self._line(done, sent, refused)}\n")
        self._out.flush()

    def close(self) -> None:
        """Leave the bar standing on a line of its own."""
        if self._on_terminal:
            self._out.write("\n")
            self._out.flush()

    def _line(self, done: int, sent: int, refused: int) -> str:
        speed = sent / max(time.monotonic() - self._began, 0.001)
        line = f"{done:,} of {self._total:,}, {speed:,.0f} reports a second"
        return f"{line}, {refused:,} not taken" if refused else line
