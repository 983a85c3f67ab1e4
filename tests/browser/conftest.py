"""A real browser, the distribution's Chromium without a window, before the installed service with the demo's patients."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser_parts import PASSWORD, PEOPLE, ROOT, SAMPLES, Desk, Service, free_port, until

from tests.conftest import missing


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("a Chromium browser", "apt-get install chromium")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checks of axe-core, as a script."""
    path = ROOT / ".make/node/node_modules/axe-core/axe.min.js"
    if not path.is_file():
        missing("axe-core", "npm install --ignore-scripts --prefix .make/node axe-core@4.14.1")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Eight cases wait, and four people have accounts."""
    with opened(tmp_path_factory.mktemp("desk"), SAMPLES / "site") as found:
        yield found


@pytest.fixture(scope="module")
def two_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The same in a laboratory where two persons sign what is positive."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(SAMPLES / "site", folder / "site")
    row = "{id: second_reader_positive, value: 'yes', tag: CONVENTION, source: the laboratory}"
    (folder / "site/policy.yaml").write_text(f"- {row}\n", encoding="utf-8")
    with opened(folder, folder / "site") as found:
        yield found


@contextmanager
def opened(folder: Path, site: Path) -> Iterator[Desk]:
    port = free_port()
    service = Service(folder, web=f"127.0.0.1:{port}", site=site)
    service.start()
    found = Desk(service, port)
    until(found.answers)
    for login, role in PEOPLE.items():
        words = (
            "user",
            "add",
            login,
            "--name",
            f"{login.title()} Test",
            "--role",
            role,
            "--feeds",
            "*",
            "--as",
            "Test",
        )
        command = [sys.executable, "-m", "labbridge.cli", *words, "--password-stdin", "--config", str(service.config)]
        subprocess.run(command, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)
    found.send(*(path for folder in sorted(SAMPLES.glob("0*")) for path in sorted(folder.glob("*.hl7"))))
    yield found
    service.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as played:
        found = played.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A window of its own, 1366x768; what its pages complain of fails the test."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    found = context.new_page()
    said: list[str] = []
    found.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    found.on("pageerror", lambda one: said.append(str(one)))
    yield found
    context.close()
    assert [one for one in said if "Content Security Policy" in one or "Error" in one] == []
