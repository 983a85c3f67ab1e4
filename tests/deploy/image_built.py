"""The image, built by podman from the Containerfile as it is written, and run as compose.yaml runs it: `make image-check`.

No registry of images is asked: the base is a Debian of the same suite, made here by mmdebstrap. It takes some minutes and
needs the package registries, so that no name of a test leads pytest here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from image import said, steps
from machine import Machine, build_wheel, until

from tests.clusters import Cluster
from tests.conftest import ROOT, missing

DEPLOY = ROOT / "deploy"
BASE, IMAGE = "localhost/debian-here:base", "localhost/labbridge:tested"
KEPT = Path(os.environ.get("LABBRIDGE_DEBIAN", ROOT / ".make/debian.tar"))
PASSWORD = "four unrelated words: heron, gravel"
DRIVERS = {"[PostgreSQL Unicode]", "[MariaDB Unicode]", "[FreeTDS]", "[SQLite3]"}
RUN_S = 1200.0


def suite() -> str:
    """The suite of the base that the Containerfile names."""
    (named,) = (text for name, text in steps() if name == "ARG")
    return named.partition("debian:")[2].removesuffix("-slim")


def done(*words: str, **more: object) -> str:
    found = subprocess.run(words, capture_output=True, text=True, timeout=RUN_S, **more)  # type: ignore[call-overload]
    assert found.returncode == 0, f"{' '.join(words)}\n{found.stdout[-6000:]}{found.stderr[-6000:]}"
    return str(found.stdout + found.stderr)


class Engine:
    """podman with a store of its own."""

    def __init__(self, folder: Path) -> None:
        for one, package in (("podman", "podman crun"), ("mmdebstrap", "mmdebstrap")):
            if shutil.which(one) is None:
                missing(one, f"apt-get install --no-install-recommends {package}")
        self.folder = folder
        self.words = ("podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"))
        self.words += ("--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--runtime", "crun")

    def base(self) -> None:
        if not KEPT.is_file():
            KEPT.parent.mkdir(exist_ok=True)
            fresh = KEPT.with_suffix(".fresh.tar")
            done("mmdebstrap", "--quiet", "--variant=minbase", suite(), str(fresh))
            fresh.replace(KEPT)
        done(*self.words, "import", "--quiet", str(KEPT), BASE)

    def build(self) -> str:
        """Every step; what was printed. pip is told of this machine's authorities of certificates and of its index, if it
        has one, and of nothing else."""
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        build_wheel(ROOT / "dist")
        here = self.folder / "here"
        here.mkdir()
        shutil.copy(os.environ.get("SSL_CERT_FILE") or str(ssl.get_default_verify_paths().cafile), here / "ca.crt")
        index = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True)
        lines = ["[global]", "cert = /run/here/ca.crt"]
        lines += [f"index-url = {index.stdout.decode().strip()}"] if index.returncode == 0 else []
        (here / "pip.conf").write_text("\n".join(lines) + "\n")
        lent = ("-v", f"{here}:/run/here:ro", "-v", f"{here / 'pip.conf'}:/etc/pip.conf:ro")
        how = ("--format", "docker", "--isolation", "chroot", "--network", "host", "--pull=never", *lent)
        what = ("--build-arg", f"BASE={BASE}", "-f", "deploy/Containerfile", "-t", IMAGE, ".")
        return done(*self.words, "build", *how, *what, cwd=ROOT)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = Engine(tmp_path_factory.mktemp("engine"))
    found.base()
    began = time.monotonic()
    said_of_it = found.build()
    print(f"\nbuilt in {time.monotonic() - began:.0f} s: {said_of_it.count('STEP ')} steps")
    yield found
    subprocess.run([*found.words, "rmi", "--all", "--force"], capture_output=True)


class Running:
    """The container as compose.yaml has it, in a machine of the tests' own; its database by a socket."""

    NAME = "labbridge-tested"

    def __init__(self, engine: Engine, cluster: Cluster, folder: Path) -> None:
        self.engine = engine
        self.machine = Machine(
            folder / "machine", lent={str(engine.folder): engine.folder, "/srv/database": cluster.folder}
        )
        os.chmod(cluster.folder, 0o711)
        one = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["labbridge"]
        database = cluster.fresh().rpartition("/")[2]
        url = f"postgresql+psycopg://labbridge@/{database}?host=/srv/database&port={cluster.port}"
        (self.machine.root / "srv/labbridge.toml").write_bytes((DEPLOY / "compose/labbridge.toml").read_bytes())
        (place,) = (volume.split(":")[1] for volume in one["volumes"] if "labbridge.toml" in volume)
        options = ["--read-only", "--read-only-tmpfs=false"] if one["read_only"] else []
        options += [f"--cap-drop={right}" for right in one["cap_drop"]]
        options += [f"--security-opt={option.removesuffix(':true')}" for option in one["security_opt"]]
        options += [f"--ulimit={name}={value}:{value}" for name, value in one["ulimits"].items()]
        options += ["--ulimit=nproc=4096:4096", "--user", one["user"], "--network=host", "--cgroups=disabled"]
        options += ["--no-healthcheck", "-v", f"/srv/labbridge.toml:{place}:ro", "-v", "/srv/database:/srv/database"]
        options += ["--add-host", "lis.laba.example:127.0.0.1", "--env", f"LABBRIDGE_STORE__URL={url}"]
        self.podman("run", "--detach", "--name", self.NAME, *options, IMAGE)

    def podman(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.machine.run(*self.engine.words, *words, check=check)

    def exec(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.podman("exec", self.NAME, *words, check=check)

    def ready(self) -> bool:
        return '"ready":true' in self.machine.ask("get", "http://127.0.0.1:9464/readyz")

    def log(self) -> str:
        found = self.podman("logs", self.NAME, check=False)
        return found.stdout + found.stderr


@pytest.fixture(scope="session")
def running(engine: Engine, postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(engine, postgres, tmp_path_factory.mktemp("container"))
    try:
        until(found.ready, "the container is ready", found.log)
        yield found
    finally:
        found.podman("rm", "--force", found.NAME, check=False)
        found.machine.close()


def test_it_is_set_up_and_run_as_the_page_says(running: Running) -> None:
    """The commands of install.md, on a SQLite store; the password from a file, since nobody is there to be asked."""
    page = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8").partition("## A container")[2]
    folders, setting_up = re.findall(r"^    ((?:install -d|podman run --rm).*(?:\n     .*)*)", page, re.MULTILINE)
    work = running.machine.root / "srv/page"
    work.mkdir()
    own = [word if word not in ("conf", "state") else f"/srv/page/{word}" for word in shlex.split(folders)]
    running.machine.run(*own)
    (work / "conf/password").write_text(PASSWORD)
    words = shlex.split(setting_up.replace("\\\n", " "))[1:]
    changed = {"-it": "--network=host", "labbridge:0.1.0": IMAGE}
    words = [changed.get(word, word.replace("./", "/srv/page/", 1)) for word in words]
    words[2:2] = ["--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--no-healthcheck"]
    done = running.podman(*words, "--password-file", "/etc/labbridge/password")
    assert "administrator  ada" in done.stdout
    assert (work / "conf/labbridge.toml").stat().st_mode & 0o777 == 0o600
    assert (work / "state/labbridge.db").is_file()


def test_the_check_of_its_health_goes_through(running: Running) -> None:
    text = next(text for name, text in steps() if name == "HEALTHCHECK")
    words = yaml.safe_load(text[text.index("[") :])
    assert running.exec(*words).returncode == 0


def test_it_takes_a_message(running: Running) -> None:
    assert running.machine.ask("send", "127.0.0.1", "127.0.0.1:2575", "1") == "MSA|AA|1"


def test_it_has_no_right_and_writes_nowhere_else(running: Running) -> None:
    status = running.exec("cat", "/proc/1/status").stdout
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert f"{name}:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    uid = said("USER")[0].partition(":")[0]
    assert f"Uid:\t{uid}\t{uid}" in status
    for place in ("/x", "/tmp/x", "/opt/labbridge/x", "/etc/labbridge/x"):
        assert "Read-only file system" in running.exec("touch", place, check=False).stderr
    assert running.exec("touch", f"{said('VOLUME')[0]}/x").returncode == 0


def test_the_drivers_of_odbc_are_there_and_the_installer_is_not(running: Running) -> None:
    assert set(running.exec("odbcinst", "-q", "-d").stdout.split("\n")) >= DRIVERS
    assert running.exec("/opt/labbridge/bin/python", "-c", "import pyodbc; print(pyodbc.version)").returncode == 0
    assert running.exec("/opt/labbridge/bin/python", "-c", "import pip", check=False).returncode != 0


def test_the_doctor_finds_nothing_missing(running: Running) -> None:
    told = running.exec("labbridge", "doctor", "--config", "/etc/labbridge/labbridge.toml").stdout
    assert "missing" not in told, told


def test_stopped_it_drains(running: Running) -> None:
    began = time.monotonic()
    running.podman("stop", "--time", "30", running.NAME)
    assert time.monotonic() - began < 20
    assert '"event": "stopped"' in running.log()
    assert running.podman("inspect", running.NAME, "--format", "{{.State.ExitCode}}").stdout.strip() == "0"
