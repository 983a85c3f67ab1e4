"""The workbench of a running service, and a person before it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "service"))
from service_parts import SAMPLES, Service, free_port, until

__all__ = [
    "PASSWORD",
    "PEOPLE",
    "ROOT",
    "SAMPLES",
    "SHOTS",
    "Desk",
    "Service",
    "free_port",
    "settled",
    "sign_in",
    "until",
]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "river lantern tuba 93"
PEOPLE = {"anna": "senior", "bert": "senior", "ada": "admin", "vera": "viewer", "nora": "author", "otto": "approver"}
SHOTS = ROOT / ".make/screenshots"  # ignored by git: to be looked at


class Desk:
    """The workbench of a running service."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self.url = service, f"http://127.0.0.1:{port}"

    def send(self, *files: Path) -> None:
        """By MLLP, and until nothing waits to be processed. What is refused is refused."""
        command = [
            sys.executable,
            "-m",
            "labbridge.cli",
            "send",
            *map(str, files),
            "--to",
            f"127.0.0.1:{self.service.mllp}",
        ]
        subprocess.run(command, capture_output=True, check=False)
        self.service.settled()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/livez", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def sign_in(page: Any, desk: Desk, login: str) -> None:
    page.goto(f"{desk.url}/login")
    page.focus("#login")  # where the page puts it too, once it is whole
    page.keyboard.type(login)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".bar")


def settled(page: Any, within_s: float = 15.0) -> None:
    """Nothing is on its way to or from the service."""
    page.wait_for_load_state("networkidle", timeout=within_s * 1000)
    time.sleep(0.05)
