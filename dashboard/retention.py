"""How long what is known of a call is kept. Pure; imports nothing of the house.

Ages are counted from when the board last heard of a call, never from the time a report claims.
"""

from __future__ import annotations

from typing import NamedTuple

MICROS_A_DAY = 86_400 * 1_000_000
SETTINGS = {
    "audio": "DASHBOARD_KEEP_AUDIO_DAYS",
    "reports": "DASHBOARD_KEEP_REPORTS_DAYS",
    "transcripts": "DASHBOARD_KEEP_TRANSCRIPTS_DAYS",
    "calls": "DASHBOARD_KEEP_CALLS_DAYS",
}
"""The setting of each, by the name it has in `Retention`."""


class Contradiction(ValueError):
    """Two of the settings cannot both hold; the text says which and what to set."""


class Retention(NamedTuple):
    """Days; None is for ever."""

    audio: int | None = None
    reports: int | None = None
    transcripts: int | None = None
    calls: int | None = None

    def cutoff(self, task: str, now: int) -> int | None:
        """What was last heard of before this moment is due; both in microseconds since 1970. None: nothing ever is."""
        days: int | None = getattr(self, task)
        return None if days is None else now - days * MICROS_A_DAY


FOR_EVER = Retention()


def retention_of(given: Retention) -> Retention:
    """What holds where these were set: whatever belongs to a call goes with it at the latest. Raises Contradiction."""
    if given.transcripts is not None and (given.reports is None or given.reports > given.transcripts):
        raise Contradiction(
            f"The raw reports hold the transcripts, too: with {SETTINGS['transcripts']}={given.transcripts}, set "
            f"{SETTINGS['reports']} to {given.transcripts} or less."
        )
    if given.calls is None:
        return given
    for name in ("audio", "reports", "transcripts"):
        days: int | None = getattr(given, name)
        if days is not None and days > given.calls:
            raise Contradiction(
                f"With a call goes all that belongs to it: with {SETTINGS['calls']}={given.calls}, set "
                f"{SETTINGS[name]} to {given.calls} or less, or leave it out."
            )
    # Reports that tell of no call have to go some day, too. The rest goes with its call.
    return given._replace(reports=given.reports or given.calls)
