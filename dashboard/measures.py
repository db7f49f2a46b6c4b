"""How late, how long and how large, in words. Pure."""

from __future__ import annotations


def lag(seconds: int | None) -> str:
    """How long after something; `before` where the seconds are negative, a dash where nobody knows."""
    if seconds is None:
        return "–"
    return _span(seconds) if seconds >= 0 else f"{_span(-seconds)} before"


def _span(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not hours:
        return f"{minutes} min {seconds % 60:02d} s"
    return f"{hours} h {minutes % 60:02d} min" if not days else f"{days} d {hours % 24} h"


def position(seconds: float) -> str:
    """A place in a recording, as players show it: 0:07, 12:03, 1:02:03."""
    hours, rest = divmod(int(seconds), 3600)
    clock = f"{rest // 60}:{rest % 60:02d}"
    return f"{hours}:{clock:0>5}" if hours else clock


def size(count: int) -> str:
    """Bytes in decimal units, with one decimal from a kilobyte on. Pages and commands show the same text."""
    if count < 1000:
        return f"{count} B"
    for unit, step in (("kB", 10**3), ("MB", 10**6)):
        if round(count / step, 1) < 1000:
            return f"{count / step:.1f} {unit}"
    return f"{count / 10**9:.1f} GB"
