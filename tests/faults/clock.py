"""The wall clock of one service, set from outside: a few lines of C in front of libc (clock.c)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = "the clock was not set: a C compiler is missing (apt-get install gcc libc6-dev)"
SOURCE = Path(__file__).with_name("clock.c")


def present() -> bool:
    return sys.platform == "linux" and shutil.which("cc") is not None


class Shim:
    """Compiled into a folder; `environment` puts it in front of a process, `set` moves that process's clock."""

    def __init__(self, folder: Path) -> None:
        library, self._offset = folder / "clock.so", folder / "clock.offset"
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(self._offset)}

    def set(self, seconds: float) -> None:
        """From now on the process's wall clock is so many seconds ahead (behind: negative) of the machine's."""
        fresh = self._offset.with_suffix(".fresh")
        fresh.write_text(f"{seconds:.0f}\n")
        fresh.replace(self._offset)
