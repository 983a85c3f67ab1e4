"""No word of a patient in a log, a metric, an error or an address (S-20): a thousand words that stand nowhere else, in every
field of a patient, through a running service and its workbench, on the ways that hold and on those that fail."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple

import pytest
from service_parts import Sender, Service, free_port, until

PATIENTS, FIELDS = 100, 10
PASSWORD = "river lantern tuba 93"
PAGES = (
    "/worklist", "/worklist?queue=all", "/worklist/print?queue=all", "/worklist/export.csv", "/worklist/export.jsonl",
    "/cases/C1", "/cases/C2", "/cases/C1/alike", "/messages", "/messages?state=quarantined", "/messages/M1", "/outbox",
    "/readings", "/account",
)  # fmt: skip
WRONG = (
    "/cases/{0}", "/cases/C1{0}", "/worklist?queue={0}", "/worklist?after={0}", "/messages/{0}",
    "/messages?state={0}", "/outbox/{0}", "/{0}", "/static/{0}",
)  # fmt: skip


class Answer(NamedTuple):
    status: int
    headers: str
    text: str


class Browser:
    """Asks as a browser does, and follows no redirect."""

    def __init__(self, base: str) -> None:
        self.base, self.csrf = base, ""
        quiet = type("Quiet", (urllib.request.HTTPRedirectHandler,), {"redirect_request": lambda *_given: None})
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), quiet)

    def ask(self, path: str, data: dict[str, str] | None = None) -> Answer:
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        headers = {
            "Origin": self.base,
            "Sec-Fetch-Site": "same-origin",
            "X-CSRF-Token": self.csrf,
            "Accept": "text/html",
        }
        request = urllib.request.Request(f"{self.base}{path}", body, headers)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return Answer(answer.status, str(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, str(error.headers), error.read().decode())

    def sign_in(self, login: str) -> None:
        assert self.ask("/login", {"login": login, "password": PASSWORD}).status in (204, 303)
        found = re.search(r'data-csrf="([^"]+)"', self.ask("/account").text)
        assert found
        self.csrf = found[1]


def canary(patient: int, field: int) -> str:
    return f"Kanari{patient:03}x{field}"


def message(patient: int, *, whole: bool = True) -> bytes:
    c = [canary(patient, field) for field in range(FIELDS)]
    lines = (
        f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ORU^R01^ORU_R01|MSG{patient}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{c[0]}^^^LABA^MR||{c[1]}^{c[2]}||19690417|M|||{c[3]}^^{c[4]}||{c[5]}",
        f"OBR|1|P{patient}^MYOCLIN|F{patient}^MYOLIS|MYO^Myositis^L|||20261110091500+0100|||||| {c[6]}",
        f"OBX|1|NM|SRPB^Anti-SRP (line blot)^L|1|58|intensity^intensity^L|0-5|A|||{'F' if whole else ''}",
        f"OBX|2|ST|FREE^Remark^L|1|{c[7]}||||||F",
        f"NTE|1|L|{c[8]}",
        f"SPM|1|{c[9]}&MYOCLIN||SER^Serum^HL70487|||||||P||||||20261110091500+0100",
    )
    return ("\r".join(lines) + "\r").encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Browser]]:
    """A service through which every canary has gone."""
    port = free_port()
    service = Service(tmp_path_factory.mktemp("canaries"), web=f"127.0.0.1:{port}")
    service.start()
    account(service)
    sender = Sender(service)
    for patient in range(PATIENTS):
        sender.send(message(patient, whole=patient % 10 != 0))
    broken(sender)
    sender.channel.close()
    service.settled()
    browser = Browser(f"http://127.0.0.1:{port}")
    until(lambda: browser.ask("/livez").status == 200)
    browser.sign_in("anna")
    yield service, browser
    service.close()


def account(service: Service) -> None:
    words = ["user", "add", "anna", "--name", "Anna Test", "--role", "senior", "--feeds", "*", "--as", "Test"]
    command = [sys.executable, "-m", "labbridge.cli", *words, "--password-stdin", "--config", str(service.config)]
    subprocess.run(command, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)


def broken(sender: Sender) -> None:
    """What is refused, quarantined or parked, with a patient's words in it."""
    whole = message(1)
    for number, raw in enumerate(
        (
            whole.replace(b"|2.5.1|", b"|9.9|"), whole.replace(b"ORU^R01^ORU_R01", b"ORU^R99^ORU_R99"),
            whole.replace(b"\rOBR|", b"\rOBX|9||"), whole.replace(b"|P|2.5.1", b"|D|2.5.1"),
            whole.replace(b"Kanari001x1", b"Kanari001x1\xff\xfe"), whole.replace(b"PID|1||", b"PID|1|"),
            whole.replace(b"58", b"Kanari001x7"), whole.replace(b"20261110091500+0100", b"Kanari001x8"),
            whole.replace(b"Kanari001x1^", b"Kanari002x1^"), whole.replace(b"19690417", b"19700101"),
        )
    ):  # fmt: skip
        sender.send(raw.replace(b"MSG1", f"BAD{number}".encode()))


def told(text: str) -> list[str]:
    return sorted(set(re.findall(r"Kanari\d{3}x\d", text)))


def test_they_have_all_arrived(running: tuple[Service, Browser]) -> None:
    """Else nothing would be proved."""
    service, browser = running
    assert service.counts()["stored"] >= PATIENTS
    assert len(told(browser.ask("/worklist?queue=all&rows=200").text)) >= PATIENTS // 2
    assert len(told(browser.ask("/cases/C1").text)) >= 3


def test_no_address_of_a_page_names_a_patient(running: tuple[Service, Browser]) -> None:
    _service, browser = running
    for path in PAGES:
        answer = browser.ask(path)
        assert answer.status == 200, path
        assert told(answer.headers) == []
        links = re.findall(r'(?:href|src|action|hx-get|hx-post)="([^"]*)"', answer.text)
        assert [one for one in links if told(one)] == [], path


def test_no_error_says_what_was_asked_for_or_what_is_held(running: tuple[Service, Browser]) -> None:
    _service, browser = running
    word = canary(1, 1)
    asked = [browser.ask(path.format(word)) for path in WRONG]
    asked += [
        browser.ask("/worklist/find", {"number": word}),
        browser.ask("/cases/C1/decide", {"version": "99", "kind": "no_action", "why": "x"}),
        browser.ask("/cases/C1/decide", {"version": word, "kind": word, "why": word}),
        browser.ask("/login", {"login": word, "password": word}),
        browser.ask("/messages/reprocess", {"chosen": word, "why": word}),
    ]
    assert all(one.status >= 400 for one in asked), [one.status for one in asked]
    for one in asked:
        assert told(one.headers) == []
        if "<html" not in one.text:  # a refusal of its own; the others show the case again to who may see it
            assert told(one.text) == [], one.text


def test_no_log_and_no_metric_names_a_patient(running: tuple[Service, Browser]) -> None:
    service, browser = running
    for path in (*PAGES, *(one.format(canary(3, 1)) for one in WRONG)):
        browser.ask(path)
    for page in ("metrics", "readyz", "livez"):
        with urllib.request.urlopen(service.url(page), timeout=10) as answer:
            assert told(answer.read().decode()) == [], page
    log = service.log()
    assert "workbench_listening" in log
    assert told(log) == []


SECRET = "Geheimnis0815"
FOREIGN = (
    "Traceback: ValueError: Kanari005x1^Kanari005x2",
    '{"event": "failed", "level": "error", "timestamp": "2026-01-01T00:00:00Z", "patient": "Kanari005x1", "key": 7}',
    '{"event": "Kanari005x1", "level": "error", "timestamp": "2026-01-01T00:00:00Z", "reason": "Kanari005x2"}',
    '{"message": "Kanari005x3"}',
    '["Kanari005x4"]',
)


def test_the_bundle_for_support_names_none_and_has_no_secret(running: tuple[Service, Browser]) -> None:
    service, _browser = running
    log = service.folder / "log.copy"
    log.write_text(service.log() + "\n".join(FOREIGN) + "\n", encoding="utf-8")
    secret = service.folder / "secret.toml"
    oidc = f'[web.oidc]\nissuer = "https://idp.laba.example"\nclient_id = "lb"\nclient_secret = "{SECRET}"\n'
    secret.write_text(service.config.read_text(encoding="utf-8") + oidc, encoding="utf-8")
    file = service.folder / "support.zip"
    words = ["support", str(file), "--log", str(log), "--lines", "200", "--config", str(secret)]
    done = subprocess.run([sys.executable, "-m", "labbridge.cli", *words], capture_output=True, text=True)
    log.unlink()
    secret.unlink()
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(file) as bundle:
        found = {name: bundle.read(name).decode() for name in bundle.namelist()}
    file.unlink()
    assert set(found) == {
        "versions.json", "config.toml", "doctor.txt", "metrics.txt", "ready.json", "counts.json", "log.jsonl",
        "manifest.json",
    }  # fmt: skip
    for name, text in found.items():
        assert told(text) == [], name
        assert SECRET not in text, name
    assert 'client_secret = "***"' in found["config.toml"]
    assert "labbridge_messages_received_total" in found["metrics.txt"]
    assert '"ready":true' in found["ready.json"]
    lines = [json.loads(line) for line in found["log.jsonl"].splitlines()]
    assert len(lines) <= 201
    assert lines[-1]["event"] == "lines_left_out"
    assert lines[-1]["count"] >= 3
    assert {"event": "failed", "level": "error", "timestamp": "2026-01-01T00:00:00Z", "key": 7} in lines
    assert any(line["event"] == "-" for line in lines)
    told_of = json.loads(found["manifest.json"])["sha256"]
    assert told_of == {n: hashlib.sha256(t.encode()).hexdigest() for n, t in found.items() if n != "manifest.json"}


def test_a_bundle_is_never_written_over(running: tuple[Service, Browser]) -> None:
    service, _browser = running
    file = service.folder / "there.zip"
    file.write_bytes(b"mine")
    done = service.run("support", str(file))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert file.read_bytes() == b"mine"
    file.unlink()


def test_a_service_that_was_stopped_leaves_none_in_its_files_but_the_store(running: tuple[Service, Browser]) -> None:
    service, _browser = running
    for path in Path(service.folder).rglob("*"):
        if path.is_file() and not path.name.startswith(("store.db", "lis")):
            assert told(path.read_bytes().decode("latin-1")) == [], path.name
