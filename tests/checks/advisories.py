"""`make pip-audit`: whether an advisory is known for a package that is installed with the service.

Where the database of advisories cannot be reached, or does not know the packages (a mirror that serves files alone), it says
so and ends with 69: not checked is not the same as nothing found, which pip-audit by itself says of both.
"""

from __future__ import annotations

import re
import subprocess
import sys

from tests.checks.supply import LOCK, ROOT

UNREACHED = re.compile(
    r"ConnectionError|ServiceError|Max retries|timed out|HTTPError|NameResolution|SSLError|JSONDecode"
)
SKIPPED = re.compile(r"could not be audited: (\S+)")
FOUND, UNAVAILABLE = 1, 69


def judged(code: int, said: str) -> tuple[int, str]:
    """What a run of pip-audit came to: the exit code, and a line about it."""
    skipped = len(set(SKIPPED.findall(said)))
    if skipped:
        return UNAVAILABLE, f"the database of advisories does not know {skipped} packages: they were not checked"
    if code == 0:
        return 0, "no advisory is known for any package of deploy/requirements.lock"
    if UNREACHED.search(said):
        return UNAVAILABLE, "the database of advisories could not be reached: nothing was checked"
    return FOUND, "advisories were found, or pip-audit failed: see above"


def main() -> int:
    words = ("--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--progress-spinner", "off")
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *words, *sys.argv[1:]], capture_output=True, text=True, cwd=ROOT
    )
    code, line = judged(done.returncode, done.stdout + done.stderr)
    if code != UNAVAILABLE:
        print(done.stdout + done.stderr, end="")
    print(line)
    return code


if __name__ == "__main__":
    sys.exit(main())
