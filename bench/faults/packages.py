"""What the board is made of, beside the published advisories."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench.faults.table import Run

WHAT = "known vulnerabilities in requirements.txt (pip-audit)"
LOCK = Path(__file__).parents[2] / "requirements.txt"


def measure(run: Run) -> None:
    beside = Path(sys.executable).with_name("pip-audit")
    audit = str(beside) if beside.exists() else shutil.which("pip-audit")
    if audit is None:
        run.not_measured(WHAT, "install pip-audit (pipx install pip-audit)")
        return
    command = [audit, "--require-hashes", "--disable-pip", "--format", "json", "-r", str(LOCK)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        why = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        run.not_measured(WHAT, f"the advisories could not be asked: {why[:160]}")
        return
    known = [f"{each['name']} {flaw['id']}" for each in packages for flaw in each.get("vulns", ())]
    run.row(
        WHAT, f"{len(known)} in {len(packages)} packages {' '.join(known)}".strip(), "0", bool(packages) and not known
    )
