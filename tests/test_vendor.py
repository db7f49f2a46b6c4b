"""The files by others in `static/vendor` are the ones that were checked, and nothing else lies there."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[1] / "static" / "vendor"
LINES = (line.split("  ", 1) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
CHECKSUMS = {name: checksum for checksum, name in LINES}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_vendored_file_is_the_one_that_was_checked(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == CHECKSUMS[name]


def test_every_vendored_file_has_a_checksum() -> None:
    unchecked = {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS", "NOTICES.md"} - CHECKSUMS.keys()
    assert not unchecked


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_vendored_file_carries_its_version_and_stands_in_the_notices(name: str) -> None:
    assert re.fullmatch(r"[a-z-]+-\d+\.\d+\.\d+\.min\.js", name)
    assert f"`{name}`" in (VENDOR / "NOTICES.md").read_text()


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_vendored_script_asks_for_no_other_file(name: str) -> None:
    assert b"sourceMappingURL" not in (VENDOR / name).read_bytes()
