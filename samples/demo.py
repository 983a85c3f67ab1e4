#!/usr/bin/env python3
"""The demo: labbridge and a stub LIS on this machine, eight synthetic patients, one person who reads and releases.

usage: demo.py [--once]

Everything goes through the real parts: messages over MLLP, a store on SQLite, the command line that a person would use.
What is printed as the LIS's text is taken from the stub's own file; the demo fails if it differs from the outbox.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

import hl7

HERE = Path(__file__).resolve().parent
PERSON = "Demo Person"
LOGIN, PASSWORD = "demo", "synthetic patients only 8"
WORKBENCH = 8080
PATIENCE_S = 60.0


class Failed(Exception):
    """The demo did not do what it is there to show."""


def free_port(wanted: int = 0) -> int:
    """This port where nobody has it, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if wanted and probe.connect_ex(("127.0.0.1", wanted)) != 0:
            return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Demo:
    """The parts while they run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mllp, self.lis, self.admin = free_port(), free_port(), free_port()
        self.web = free_port(WORKBENCH)
        self.config = folder / "labbridge.toml"
        self.config.write_text(self._config(), encoding="utf-8")
        self.received = folder / "lis.jsonl"
        self.parts: list[subprocess.Popen[bytes]] = []

    def _config(self) -> str:
        return "\n".join(
            [
                'facility = "LABA"',
                f'[store]\nurl = "sqlite:///{self.folder / "labbridge.db"}"\nvolatile = true',
                f'[feeds.myolis]\nlisten = "127.0.0.1:{self.mllp}"\ntimezone = "Europe/Paris"',
                f'[receivers.lis]\naddress = "127.0.0.1:{self.lis}"',
                f'[web]\nlisten = "127.0.0.1:{self.web}"\n[review]\nundo_s = 0',
                f'[admin]\nlisten = "127.0.0.1:{self.admin}"',
                f'[knowledge]\nsite = "{HERE / "site"}"',
                "",
            ]
        )

    def start(self) -> None:
        log = (self.folder / "service.log").open("wb")
        stub = [sys.executable, str(HERE / "stub_lis.py"), f"127.0.0.1:{self.lis}", str(self.received)]
        self.parts.append(subprocess.Popen(stub, stdout=log, stderr=log))
        service = [sys.executable, "-m", "labbridge.cli", "serve", "--config", str(self.config)]
        self.parts.append(subprocess.Popen(service, stdout=log, stderr=log))
        self.until("the service is ready", self._ready)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def until(self, what: str, met: Any) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            if any(part.poll() is not None for part in self.parts) or time.monotonic() > deadline:
                raise Failed(f"waited in vain until {what}\n{(self.folder / 'service.log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.terminate()
        for part in self.parts:
            part.wait(30)

    def account(self) -> None:
        """Somebody who may sign in at the workbench."""
        words = ["user", "add", LOGIN, "--name", PERSON, "--role", "senior", "--feeds", "*", "--as", PERSON]
        run = [sys.executable, "-m", "labbridge.cli", *words, "--password-stdin", "--config", str(self.config)]
        done = subprocess.run(run, input=f"{PASSWORD}\n", capture_output=True, text=True, cwd=self.folder)
        if done.returncode:
            raise Failed(f"no account was made: {done.stdout}{done.stderr}")

    # ---- a person at the command line

    def command(self, *words: str) -> Any:
        run = [sys.executable, "-m", "labbridge.cli", *words, "--format", "json"]
        done = subprocess.run(run, capture_output=True, text=True, cwd=self.folder)
        if done.returncode not in (0, 1) or not done.stdout.strip():
            raise Failed(f"labbridge {words[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def on_store(self, *words: str) -> Any:
        return self.command(*words, "--config", str(self.config))[0]

    def send(self, files: list[Path]) -> None:
        for sent in self.command("send", *map(str, files), "--to", f"127.0.0.1:{self.mllp}"):
            if sent["code"] != "AA":
                raise Failed(f"{sent['file']} was answered {sent['code'] or 'not at all'} {sent['error']}")
        self.until("everything sent is processed", lambda: self.on_store("messages", "--count")["waiting"] == 0)

    def waiting_case(self) -> dict[str, Any]:
        open_cases = [case for case in self.on_store("show") if case["state"] in ("new", "reopened")]
        if len(open_cases) != 1:
            raise Failed(f"one case was expected to wait for a person, not {len(open_cases)}")
        found: dict[str, Any] = open_cases[0]
        return found

    def release(self, case: dict[str, Any]) -> dict[str, Any]:
        answer = self.on_store("release", case["shown"], "--as", PERSON)
        if not answer["ok"]:
            raise Failed(f"{case['shown']} was not released: {answer}")
        key = answer["done"][0]["result"]
        self.until(f"{key} is acknowledged", lambda: self.on_store("show", key)["state"] == "acknowledged")
        delivery: dict[str, Any] = self.on_store("show", key)
        return delivery

    def stored_by_the_lis(self, control_id: str) -> str:
        """The message under this control id, from the stub's own file."""
        lines = [json.loads(line) for line in self.received.read_text(encoding="utf-8").splitlines()]
        found = [line["message"] for line in lines if line["control_id"] == control_id]
        if len(found) != 1:
            raise Failed(f"the LIS holds {len(found)} messages under {control_id}, not one")
        text: str = found[0]
        return text


def main() -> int:
    once = "--once" in sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="labbridge-demo-"))
    demo = Demo(folder)
    try:
        demo.start()
        demo.account()
        for scenario in sorted(path for path in HERE.iterdir() if path.name[:2].isdigit()):
            show(demo, scenario)
        print(f"\nAll comments as the stub LIS stored them; each is the same as in the outbox. {counted(demo)}")
        if not once:
            print(
                f"The workbench is at http://127.0.0.1:{demo.web}: sign in as {LOGIN}, password `{PASSWORD}`.\n"
                f"The service keeps running (MLLP 127.0.0.1:{demo.mllp}, metrics 127.0.0.1:{demo.admin}). Ctrl-C ends it."
            )
            while True:
                time.sleep(3600)
        return 0
    except KeyboardInterrupt:
        return 0
    except Failed as failure:
        print(f"demo failed: {failure}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
        shutil.rmtree(folder)


def show(demo: Demo, scenario: Path) -> None:
    title = (scenario / "README.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    print(f"\n{scenario.name}: {title}\n{'-' * 100}")
    rounds = sorted({path.name[0] for path in scenario.glob("*.hl7")})
    for number in rounds:
        files = sorted(scenario.glob(f"{number}*.hl7"))
        demo.send(files)
        print(f"sent over MLLP: {', '.join(path.name for path in files)}")
        case = demo.waiting_case()
        report(case)
        print(f'released by a demo person:  labbridge release {case["shown"]} --as "{PERSON}"')
        delivery = demo.release(case)
        compare(delivery, demo.stored_by_the_lis(delivery["control_id"]), case)


def report(case: dict[str, Any]) -> None:
    outcome = case["outcome"]
    print("  ".join(f"{name} {state}" for name, state in outcome["states"].items()))
    for flag in outcome["flags"]:
        print(
            f"  {flag['severity']:8} {flag['code']} {flag.get('analyte') or ''}".rstrip() + f"   (rule {flag['rule']})"
        )
    for retest in outcome["retests"]:
        print(f"  retest   {retest['analyte']} by {' or '.join(retest['families'])}, {retest['priority']}")


def compare(delivery: dict[str, Any], stored: str, case: dict[str, Any]) -> None:
    """The LIS's text, read with another HL7 library; it must be the outbox's bytes and the released text."""
    sent = delivery["raw"].strip()
    if stored.replace("\r", "\n").strip() != sent:
        raise Failed(f"what the LIS stored under {delivery['control_id']} is not what the outbox holds")
    observation = hl7.parse(stored).segment("OBX")
    text = hl7.parse(stored).unescape(str(observation[5]))
    if text != case["text"]:
        raise Failed("the text the LIS stored is not the text that was released")
    print(f"the LIS stored (OBX-4 {observation[4]}, OBX-11 {observation[11]}):")
    print(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))


def counted(demo: Demo) -> str:
    found = demo.on_store("messages", "--count")
    return (
        f"received {found['received']} = stored {found['stored']} + quarantined {found['quarantined']}"
        f" + duplicate {found['duplicate']} + oversize {found['oversize']}."
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
