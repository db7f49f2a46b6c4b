"""`doctor`: every finding a line; 1 where something is to be mended."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dashboard.doctor.finding import BAD, DOUBT, GOOD, Finding, bad
from dashboard.doctor.here import check_here, settings_file_mode
from dashboard.doctor.outside import check_outside
from dashboard.doctor.tables import check_tables
from dashboard.env_file import BadSetting
from dashboard.settings import Settings, data_folder_of, settings_file, unknown_settings


def doctor() -> int:
    """Works beside a running server and without one. Exit code: 1 where a finding is BAD, else 0."""
    marks = {GOOD: 0, DOUBT: 0, BAD: 0}
    for finding in _findings():
        print(f"{finding.mark} {finding.words}", flush=True)
        marks[finding.mark] += 1
    print(f"\n{marks[GOOD]} good, {marks[DOUBT]} to look at, {marks[BAD]} to mend.")
    return 1 if marks[BAD] else 0


def _findings() -> Iterator[Finding]:
    environ = dict(os.environ)
    folder = data_folder_of(environ)
    try:
        settings = Settings.from_env()
    except BadSetting as problem:
        # Nothing further can be asked; but a wrong name or mode may be the cause.
        yield bad(str(problem))
        yield from map(bad, unknown_settings(environ, folder))
        yield from settings_file_mode(settings_file(folder))
        return
    yield from map(bad, unknown_settings(environ, folder))
    yield from check_here(settings)
    yield from check_tables(settings)
    yield from check_outside(settings)
