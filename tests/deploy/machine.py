"""A machine of the tests' own: namespaces, a root laid over this one's, and on wish a real systemd as its first process.

Nothing of it reaches this machine: what is written goes to memory, the network is its own, every process ends with it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clusters import die_with_parent
from tests.conftest import ROOT, missing

PATIENCE_S = 180.0  # the other worker may have the machine to itself
NEEDED = ("unshare", "nsenter", "ip", "mount", "chroot")
PREFIX, PACKAGES = "/opt/python", "/opt/packages"

BEGUN = """
set -e
mount -t tmpfs tmpfs {folder}
mkdir {folder}/upper {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {folder}/root
cd {folder}/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount --rbind /dev dev
mkdir -p .{prefix} .{packages} etc
mount --bind {base} .{prefix}
mount --bind {site} .{packages}
{lent}
echo {prefix}/lib >etc/ld.so.conf.d/00-lent.conf
chroot . /sbin/ldconfig
ip link set lo up
mkdir -p .before
pivot_root . .before
touch /run/begun
umount -l /.before
exec {first}
"""
FIRST = "/bin/sh -c 'trap \"exit 0\" TERM; while :; do sleep 1; done'"
SYSTEMD = (
    "/usr/bin/env container=labbridge SYSTEMD_UNIT_PATH=/etc/systemd/system SYSTEMD_GENERATOR_PATH=/none"
    " SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/none /lib/systemd/systemd --system --log-target=console --show-status=no"
)
TARGET = "[Unit]\nDefaultDependencies=no\n"


def until(met: Callable[[], Any], what: str, why: Callable[[], str] = str) -> Any:
    """Wait for something to be so; its value. `why` is asked where it was in vain."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := met()):
        assert time.monotonic() < deadline, f"waited in vain: {what}\n{why()}"
        time.sleep(0.05)
    return found


class Machine:
    """`systemd`: whether it has a manager; else its first process waits. `lent`: folders of this machine, by their place
    there (what is seen through the root that is laid over this one's is a copy, and no socket)."""

    def __init__(self, folder: Path, *, systemd: bool = False, lent: Mapping[str, Path] | None = None) -> None:
        if os.geteuid() != 0 or any(
            shutil.which(one, path=f"{os.environ['PATH']}:/usr/sbin") is None for one in NEEDED
        ):
            missing("a machine of its own", "run as root, with util-linux and iproute2 (apt-get install iproute2)")
        if systemd and not Path("/lib/systemd/systemd").exists():
            missing("systemd", "apt-get install systemd")
        self.folder = folder
        folder.mkdir(parents=True)
        script = BEGUN.format(
            folder=folder,
            base=sys.base_prefix,
            site=next(path for path in sys.path if path.endswith("site-packages")),
            prefix=PREFIX,
            packages=PACKAGES,
            first=SYSTEMD if systemd else FIRST,
            lent="\n".join(f"mkdir -p .{to}; mount --bind {one} .{to}" for to, one in (lent or {}).items()),
        )
        kinds = ("--mount", "--pid", "--fork", "--net", "--ipc", "--uts", "--cgroup", "--kill-child=SIGKILL")
        self._log = (folder.parent / f"{folder.name}.log").open("wb")
        self._process = subprocess.Popen(
            ["unshare", *kinds, "bash", "-c", self._prepared(script, systemd)],
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        self.first = int(until(self._first, f"{folder} begins: {self.log()}"))
        self.root = Path(f"/proc/{self.first}/root")
        until(lambda: (self.root / "run/begun").exists() or self._process.poll() is not None, "the root")
        if self._process.poll() is not None:
            self._log.close()
            missing("a machine of its own", f"the kernel gives none here: {self.log()}")

    @staticmethod
    def _prepared(script: str, systemd: bool) -> str:
        """With a manager: units of its own alone, none of this machine's. They are made before it starts."""
        if not systemd:
            return script
        units = "rm -rf etc/systemd/system; mkdir -p etc/systemd/system run/systemd/journal\n"
        for name in ("basic", "sysinit", "shutdown", "network-online", "multi-user", "default"):
            units += f"printf %s {shlex.quote(TARGET)} >etc/systemd/system/{name}.target\n"
        return script.replace("ip link set lo up", f"{units}ip link set lo up")

    def _first(self) -> str:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError):
            return children.read_text().strip()
        return ""

    def log(self) -> str:
        path = self.folder.parent / f"{self.folder.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def run(
        self, *words: str, check: bool = True, env: Mapping[str, str] | None = None, within: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command inside, as root. `within`: a process whose network and view of the files it has."""
        entering = self.words(words, within)
        done = subprocess.run(entering, capture_output=True, text=True, env=_clean(env), timeout=PATIENCE_S)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, log: Path, network: int | None = None
    ) -> subprocess.Popen[bytes]:
        """A process inside that goes on. `network`: a process whose network it has."""
        other = [f"--net=/proc/{network}/ns/net"] if network else ["-n"]
        entering = [*(one for one in self.words(()) if one != "-n"), *other, *words]
        with log.open("ab") as file:
            return subprocess.Popen(entering, stdout=file, stderr=file, env=_clean(env), preexec_fn=die_with_parent)

    @staticmethod
    def kill(process: subprocess.Popen[bytes]) -> None:
        """End at once what `start` began: the child of the nsenter that went in for it."""
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        process.wait(PATIENCE_S)

    def ask(self, *words: str, within: int | None = None) -> str:
        """What inside.py says, run in here."""
        place = self.root / "tmp/inside.py"
        if not place.exists():
            shutil.copy(Path(__file__).with_name("inside.py"), place)
        authority = {"SSL_CERT_FILE": "/tmp/ca.pem"} if (self.root / "tmp/ca.pem").exists() else {}
        return self.run(f"{PREFIX}/bin/python3", "/tmp/inside.py", *words, env=authority, within=within).stdout.strip()

    def words(self, words: Sequence[str], within: int | None = None) -> list[str]:
        return ["nsenter", "-t", str(within or self.first), "-m", "-p", "-n", "-i", "-u", "-r", "-w", *words]

    def close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.first, signal.SIGKILL)  # every process of it goes with its first one
            self._process.wait(PATIENCE_S)
        self._log.close()


def _clean(more: Mapping[str, str] | None) -> dict[str, str]:
    """Nothing of this run's own settings."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **(more or {})}


def install(machine: Machine, wheel: Path) -> None:
    """The wheel in /opt/labbridge, as who installs has it: an environment of its own. What it depends on is lent."""
    shutil.copy(wheel, machine.root / "tmp" / wheel.name)
    machine.run(f"{PREFIX}/bin/python3", "-m", "venv", "--without-pip", "/opt/labbridge")
    (site,) = (machine.root / "opt/labbridge/lib").glob("python3.*/site-packages")
    words = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", f"/tmp/{wheel.name}")
    machine.run("/opt/labbridge/bin/python", *words, env={"PYTHONPATH": PACKAGES, "PIP_ROOT_USER_ACTION": "ignore"})
    (site / "lent.pth").write_text(f"{PACKAGES}\n")


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree, as `make wheel` builds it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Journal:
    """What services of a machine say, where the journal would take it: a line each."""

    def __init__(self, machine: Machine) -> None:
        self._said: list[bytes] = []
        path = machine.root / "run/systemd/journal/stdout"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(16)
        path.chmod(0o666)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                channel, _ = self._server.accept()
                threading.Thread(target=self._read, args=(channel,), daemon=True).start()

    def _read(self, channel: socket.socket) -> None:
        with channel, channel.makefile("rb") as lines:
            self._said.extend(lines)

    def text(self) -> str:
        return b"".join(self._said).decode(errors="replace")

    def close(self) -> None:
        self._server.close()
