"""How this program is called here, for every sentence that names a command. Imports nothing of the house."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_SCRIPT = "callboard"


def command_of(started_as: str, package: Path) -> str:
    """What to type before a command's name, given `sys.argv[0]` and the folder of the package.

    A checkout has the environment that its README sets up; an installed package has the script it was started by.
    """
    script = Path(started_as)
    if script.name == _SCRIPT:
        return _SCRIPT if shutil.which(_SCRIPT) in (_SCRIPT, started_as) else started_as
    return ".venv/bin/python -m dashboard" if is_checkout(package) else "python -m dashboard"


def is_checkout(package: Path) -> bool:
    return (package.parent / "pyproject.toml").is_file()


_PACKAGE = Path(__file__).parent
PROGRAM = command_of(sys.argv[0] if sys.argv else "", _PACKAGE)
DEMO_COMMAND = "make demo" if PROGRAM.startswith(".venv") and is_checkout(_PACKAGE) else f"{PROGRAM} demo"
