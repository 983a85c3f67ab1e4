"""The commands of the how-to pages, in their order, beside a running service: what a reader enters goes through."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_parts import ROOT, SAMPLES, Service, sender

PAGES = ("sign-the-rules", "release-by-rule", "try-a-change", "map-a-code", "add-an-assay", "order-a-retest", "go-live")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Service]:
    """A laboratory as the pages have it: its site in lab/site, its store in var, a service that runs."""
    shutil.copytree(SAMPLES / "site", tmp_path / "lab/site")
    (tmp_path / "var").mkdir()
    shutil.copy(ROOT / "tests/knowledge/vignettes.yaml", tmp_path / "lab/cases.yaml")
    command = tmp_path / "bin/labbridge"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m labbridge.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    store = f"sqlite:///{tmp_path}/var/labbridge.db"
    found = Service(tmp_path, "[release]\nenabled = true\n", store, site=tmp_path / "lab/site")
    try:
        found.start()
        with sender(found) as channel:
            for path in sorted((SAMPLES / "01-concordant-srp").glob("*.hl7")):
                assert channel.send(path.read_bytes().replace(b"\n", b"\r")) is not None
        found.settled()
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_goes_through(desk: Service, page: str) -> None:
    blocks = BLOCK.findall((ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8"))
    assert len(blocks) > 2
    path = f"{desk.folder / 'bin'}:{os.environ['PATH']}"
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace("127.0.0.1:2575", f"127.0.0.1:{desk.mllp}")],
            cwd=desk.folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
