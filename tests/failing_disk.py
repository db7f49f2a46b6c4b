"""A disk of its own, which the kernel turns read-only at an error, as it does with one that fails. Needs root."""

from __future__ import annotations

import gc
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNMOUNT_SECONDS = 10
_MEGABYTES = 32


class FailingDisk:
    """An ext4 file system in a file, mounted on `folder`."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image, self.folder = image, folder
        with image.open("xb") as file:
            file.truncate(_MEGABYTES * 2**20)
        _run("mkfs.ext4", "-q", "-F", str(image))
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.folder))

    def fail(self) -> None:
        """From now on nothing can be written, files that are open included."""
        source = _run("findmnt", "-no", "SOURCE", str(self.folder)).strip()
        Path(f"/sys/fs/ext4/{Path(source).name}/trigger_fs_error").write_text("1")

    def unmount(self) -> None:
        """Waits for the last file on it to be closed: a process that has just ended may hold one for a moment."""
        until = time.monotonic() + _UNMOUNT_SECONDS
        while True:
            # A connection that could not be opened keeps its file until it is collected.
            gc.collect()
            try:
                _run("umount", str(self.folder))
            except subprocess.CalledProcessError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def repair(self) -> None:
        """As an operator does, with nothing open: check it and mount it again."""
        self.unmount()
        # 1: errors were found and corrected.
        subprocess.run(["e2fsck", "-fy", str(self.image)], check=False, capture_output=True)
        self.mount()


@contextmanager
def failing_disk(image: Path, folder: Path) -> Iterator[FailingDisk]:
    """Raises CalledProcessError or OSError where this user may not mount."""
    disk = FailingDisk(image, folder)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
