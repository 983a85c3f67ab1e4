"""A message repaired at the workbench of a running service, by two persons, over HTTP and the control socket."""

from __future__ import annotations

import contextlib
import html
import re
import subprocess
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

from service_parts import Service, free_port, until

PASSWORD = "river lantern tuba 93"
BAD = (
    b"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ORU^R01^ORU_R01|Q1|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||PT1^^^LABA^MR||TEST^SYNTH\xe9TIC||19690417|M\r"
    b"OBR|1|PF1^MYOCLIN|F1^MYOLIS|MYO^Myositis^L|||20261110091500+0100\r"
    b"OBX|1|NM|SRPB^Anti-SRP (line blot)^L|1|58|intensity^intensity^L|0-5|A|||F\r"
)


def account(service: Service, login: str) -> None:
    command = [
        sys.executable, "-m", "labbridge.cli", "user", "add", login, "--name", f"{login.title()} Test", "--role", "senior",
        "--feeds", "*", "--as", "Test", "--password-stdin", "--config", str(service.config),
    ]  # fmt: skip
    done = subprocess.run(command, input=f"{PASSWORD}\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


class Browser:
    """Pages and forms, with the cookie of a sign-in and the token that stands in its pages."""

    def __init__(self, address: str, login: str) -> None:
        self._address, self._token = address, ""
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.post("/login", login=login, password=PASSWORD)
        self._token = found(self.get("/messages"), r'data-csrf="([^"]+)"')

    def get(self, path: str) -> str:
        return str(self._opener.open(self._address + path, timeout=30).read().decode())

    def post(self, path: str, **form: str) -> tuple[int, str]:
        headers = {"Origin": self._address, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self._token}
        request = Request(self._address + path, urlencode(form).encode(), headers)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            return refused.code, refused.read().decode()


def found(page: str, pattern: str) -> str:
    one = re.search(pattern, page, re.DOTALL)
    assert one is not None
    return html.unescape(one[1])


def test_a_message_is_repaired_by_two_persons_at_a_running_service(tmp_path: Path) -> None:
    port = free_port()
    service = Service(tmp_path, web=f"127.0.0.1:{port}")
    address = f"http://127.0.0.1:{port}"
    try:
        service.start()
        account(service, "anna")
        account(service, "ben")
        (tmp_path / "bad.hl7").write_bytes(BAD)
        sent = ["send", str(tmp_path / "bad.hl7"), "--to", f"127.0.0.1:{service.mllp}"]
        subprocess.run(
            [sys.executable, "-m", "labbridge.cli", *sent], capture_output=True, check=False
        )  # it is refused
        until(lambda: _answers(address))
        anna, ben = Browser(address, "anna"), Browser(address, "ben")
        assert "M1" in anna.get("/messages?state=quarantined")
        _status, page = anna.post("/messages/M1/open", why="the sender asked")
        text = found(page, r'<textarea id="edit-text"[^>]*>(.*?)</textarea>').replace("⟦E9⟧", "é")
        assert anna.post("/messages/M1/edit", base="1", text=text, why="é")[0] == 204
        _status, page = ben.post("/messages/M1/open", why="to approve")
        read = {name: found(page, rf'name="{name}" value="([^"]*)"') for name in ("version", "digest")}
        assert "same person" in anna.post("/messages/M1/approve", **read, why="read")[1]
        assert ben.post("/messages/M1/approve", **read, why="read")[0] == 204
        service.settled()
        assert "C1" in ben.get("/worklist")
        assert "D1" not in ben.get("/outbox")
        assert "SYNTH" not in service.log()
    finally:
        service.close()


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), urlopen(f"{address}/livez", timeout=2) as answer:
        return bool(answer.status == 200)
    return False
