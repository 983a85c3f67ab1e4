"""The seeded bugs of reliability.md 2.3: each a small diff to a copy of the product, put in front of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.faults.service import ROOT

FOLDER = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.diff"))


def applied(name: str, folder: Path) -> Path:
    """A copy of labbridge and mappings with this bug in it. RuntimeError where the diff no longer fits the code."""
    for part in ("labbridge", "mappings"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    command = ["patch", "--strip=1", "--batch", "--no-backup-if-mismatch", "--input", str(FOLDER / f"{name}.diff")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}.diff does not fit: {done.stdout.strip()} {done.stderr.strip()}")
    return folder
