"""How late and how large, in words. Pure."""

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


def size(count: int) -> str:
    """Bytes, with one decimal from a kilobyte on."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 999_950 else f"{count / 1_000_000:.1f} MB"
