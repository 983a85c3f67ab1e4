"""The workbench of a running service: what it shows to whom it does not know, what it reads of them, where secrets are, and
a sign-in by a real identity provider (S-15, S-18, S-25, S-28)."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import sys
import time
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import pytest
from service_parts import Service, free_port, until

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "web"))
from provider_parts import CLIENT, CLIENT_SECRET, Idp

LONG = 10 * 2**20
MOST = 2**20


class Stays(HTTPRedirectHandler):
    def redirect_request(self, *_words: object) -> None:
        return None


class Door:
    """A browser before the workbench of a service."""

    def __init__(self, address: str) -> None:
        self.address, self.jar = address, CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self.jar), Stays())

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, text, and where to."""
        try:
            with self._opener.open(Request(self.address + path, headers=headers), timeout=30) as answer:
                return answer.status, answer.read().decode(), ""
        except HTTPError as refused:
            return refused.code, refused.read().decode(), refused.headers.get("Location", "")


@pytest.fixture(scope="module")
def idp() -> Iterator[Idp]:
    found = Idp(time.time)
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, idp: Idp) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("workbench")
    (folder / "secret").write_text(CLIENT_SECRET + "\n", encoding="utf-8")
    port = free_port()
    provider = (
        f'[web.oidc]\nissuer = "{idp.issuer}"\nclient_id = "{CLIENT}"\nclient_secret_file = "{folder / "secret"}"\n'
        'roles = {"lab-mta" = "scientist"}\nfeeds_claim = "roles"\nfeeds = {"ward-7" = "*"}\n'
    )
    found = Service(folder, provider, web=f"127.0.0.1:{port}")
    found.start()
    until(lambda: alive(f"http://127.0.0.1:{port}"))
    found.web = f"http://127.0.0.1:{port}"  # type: ignore[attr-defined]
    yield found
    found.close()


def written(service: Service) -> bytes:
    """What the service has written: its store with what lies beside, and its log."""
    files = [one for one in service.folder.glob("store.db*") if one.is_file()]
    return b"".join(one.read_bytes() for one in files) + service.log().encode()


def alive(address: str) -> bool:
    with contextlib.suppress(OSError):
        return Door(address).get("/livez")[0] == 200
    return False


@pytest.fixture
def door(service: Service) -> Door:
    return Door(service.web)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- what is there for nobody


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/debug", "/metrics", "/readyz", "/config", "/api"],
)
def test_a_service_as_it_is_installed_has_no_page_of_its_makers(door: Door, path: str) -> None:
    status, text, _to = door.get(path)
    assert (status, text) == (404, "There is no such page\n")


def test_a_fault_shows_nothing_of_the_code(door: Door) -> None:
    for path in ("/cases/C1", "/cases/%00", "/people/%ff", "/login?x=%ff", "/login/oidc/callback?state=%00&code=%ff"):
        assert "Traceback" not in door.get(path)[1]


def test_it_does_not_watch_its_files(service: Service) -> None:
    assert service.process is not None
    told = [Path(f"/proc/{one}/cmdline").read_bytes() for one in descendants(service.process.pid)]
    assert not any(b"reload" in one for one in told)
    assert any(b"spawn_main" in one for one in told)


# ---------------------------------------------------------------- what is read of somebody unknown


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def resident(pid: int) -> int:
    told = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(told[1]) * 1024 if told else 0


def sent_long(address: str, path: str) -> bytes:
    """The answer to ten megabytes, of which as much was sent as was taken."""
    host, port = address.removeprefix("http://").split(":")
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {address}\r\nContent-Length: {LONG}\r\n"
    kind = "Content-Type: application/x-www-form-urlencoded\r\n\r\nlogin="
    with socket.create_connection((host, int(port)), 30) as channel:
        channel.settimeout(30)
        channel.sendall((head + kind).encode())
        answer = channel.recv(65_536) if path != "/login" else b""  # before a byte of the body is sent
        with contextlib.suppress(OSError):
            for _number in range(LONG // 65_536):
                channel.sendall(b"x" * 65_536)
        with contextlib.suppress(OSError):
            answer = answer or channel.recv(65_536)
    return answer


def test_ten_megabytes_of_somebody_unknown_take_no_memory(service: Service, door: Door) -> None:
    assert service.process is not None
    for _number in range(20):
        door.get("/login")
        sent_long(door.address, "/people")
    processes = [service.process.pid, *descendants(service.process.pid)]
    before = {one: resident(one) for one in processes}
    for path in ("/people", "/cases/C1/sign", "/messages/reprocess") * 5:
        assert sent_long(door.address, path).startswith(b"HTTP/1.1 401 ")
    grown = {one: resident(one) - before[one] for one in processes}
    assert max(grown.values()) < MOST, grown
    assert door.get("/livez")[0] == 200


def test_ten_megabytes_at_the_door_are_refused(service: Service, door: Door) -> None:
    assert sent_long(door.address, "/login")[:12] in (b"HTTP/1.1 413", b"")  # b"": the connection was closed on them
    assert door.get("/livez")[0] == 200


# ---------------------------------------------------------------- tokens of programs


def test_a_token_is_kept_nowhere_and_ends_at_once(service: Service, door: Door, tmp_path: Path) -> None:
    done = service.run("user", "token", "grafana", "--scope", "metrics", "--as", "Test")
    secret = done.stdout.strip()
    assert re.fullmatch(r"lb_[\w-]{43}", secret), done.stderr
    assert secret not in done.stderr
    bearing = {"Authorization": f"Bearer {secret}"}
    assert door.get("/worklist", **bearing)[0] == 403, "known, but no page is for programs"
    backup = tmp_path / "backup.db"
    assert service.run("backup", str(backup)).returncode == 0
    kept = written(service)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            kept += raw + (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else b"")
    assert b"grafana" in kept
    assert secret.encode() not in kept
    assert secret.removeprefix("lb_").encode() not in kept
    assert service.run("user", "revoke", "grafana", "--as", "Test").returncode == 0
    began = time.monotonic()
    assert door.get("/worklist", **bearing)[0] == 401
    assert time.monotonic() - began < 1.0


# ---------------------------------------------------------------- the hospital's accounts


def entered(door: Door, idp: Idp) -> tuple[int, str, str]:
    status, text, to = door.get("/login/oidc")
    assert status == 303, text
    return door.get(idp.visited(to))


def test_somebody_is_signed_in_by_a_provider(service: Service, door: Door, idp: Idp) -> None:
    assert "/login/oidc" in door.get("/login")[1]
    status, text, _to = entered(door, idp)
    assert status == 200, text
    status, text, _to = door.get("/worklist", Accept="text/html")
    assert status == 200
    assert "Anna Weber" in text
    told = service.run("user", "list").stdout
    assert re.search(r"anna\s+Anna Weber\s+scientist\s+\*", told), told
    held = written(service)
    for canary in (b"canary", b"eyJ"):
        assert canary not in held
    assert CLIENT_SECRET not in service.run("config").stdout


def test_an_administrator_links_an_account_at_the_command_line(service: Service, idp: Idp) -> None:
    words = ["user", "add", "berta", "--name", "Berta Berg", "--role", "viewer", "--subject", "s-2", "--as", "Test"]
    assert service.run(*words).returncode == 0
    idp.person = {"sub": "s-2", "preferred_username": "bb", "name": "Berta Berg", "roles": ["lab-mta"]}
    door = Door(service.web)  # type: ignore[attr-defined]
    assert entered(door, idp)[0] == 200
    assert re.search(r"berta\s+Berta Berg\s+scientist", service.run("user", "list").stdout)
    taken = service.run("user", "link", "berta", "--subject", "s-2", "--as", "Test")
    assert "is that of berta already" in taken.stdout + taken.stderr
