"""The whole service over TLS, both ways: who may send, whom it trusts, and certificates renewed under load
(reliability.md S-01, S-02)."""

from __future__ import annotations

import contextlib
import re
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_parts import SAMPLES, Sender, Service, sample, until
from tls_files import Authority, Pair, client_side, server_side

from labbridge.hl7 import ack
from labbridge.hl7.head import head
from labbridge.hl7.mllp import Frame, Framer, frame

CK = SAMPLES / "02-srp-hep2-negative/1a-ck.hl7"
SENDER = 'sender = "MYOLIS|LABA"\n'


class Site:
    """A service whose feed and receiver speak TLS with certificates on both sides, and a LIS that does too."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.clients = Authority(folder, "ca"), Authority(folder, "clients")
        self.server, self.ours = self.authority.issue("server"), self.clients.issue("labbridge")
        self.lis_pair = self.authority.issue("lis", ["lis.lab.example"])
        self.known = self.clients.issue("myolis", ["myolis.lab.example"])
        self.service = Service(
            folder,
            f'[feeds.myolis.tls]\n{self.server.toml()}client_ca = "{self.clients.file}"\n'
            f'client_names = ["myolis.lab.example"]\n'
            f'[receivers.lis.tls]\nca = "{self.authority.file}"\nserver_name = "lis.lab.example"\n{self.ours.toml()}',
        )
        text = self.service.config.read_text(encoding="utf-8")
        text = text.replace('timezone = "Europe/Paris"\n', f'timezone = "Europe/Paris"\n{SENDER}')
        self.service.config.write_text(text, encoding="utf-8")

    def line(self, pair: Pair | None = None) -> Sender:
        """A sender that shows a certificate; the known one's unless told."""
        found = Sender(self.service)
        context = client_side(self.authority, pair or self.known)
        found.channel = context.wrap_socket(found.channel, server_hostname="127.0.0.1")
        return found

    def scraped(self, name: str) -> dict[str, float]:
        """A metric's values by their labels, as text."""
        with urllib.request.urlopen(self.service.url("metrics"), timeout=10) as answer:
            text = answer.read().decode()
        return {one[0]: float(one[1]) for one in re.findall(rf"^{name}\{{(.*)\}} (.*)$", text, re.M)}

    def send(self, *words: str) -> subprocess.CompletedProcess[str]:
        """labbridge send --tls"""
        command = [sys.executable, "-m", "labbridge.cli", "send", str(CK), "--to", f"127.0.0.1:{self.service.mllp}"]
        return subprocess.run([*command, *words], capture_output=True, text=True)


class Lis:
    """A LIS over TLS that demands a certificate. `heard` are the messages, `shown` the names of the certificates."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.heard: list[bytes] = []
        self.shown: list[str] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as channel:
                    outer.shown.append(channel.getpeercert()["subject"][0][0][1])  # type: ignore[index]
                    outer.serve(channel)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def serve(self, channel: ssl.SSLSocket) -> None:
        framer = Framer()
        while data := channel.recv(65536):
            for event in framer.receive_data(data):
                assert isinstance(event, Frame)
                self.heard.append(event.data)
                found = head(event.data)
                channel.sendall(
                    frame(b"MSH|^~\\&|LIS|H|LB|H|20260101||ACK|A1|P|2.5.1\rMSA|AA|" + found.control_id.encode() + b"\r")
                )

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("tls"))
    lis = Lis(found.service.lis, server_side(found.lis_pair, clients=found.clients))
    found.lis = lis  # type: ignore[attr-defined]
    found.service.start(stub=False)
    yield found
    found.service.close()
    lis.close()


def test_a_comment_goes_all_the_way_over_tls(site: Site) -> None:
    line = site.line()
    for name in ("1a-ck", "1b-serology"):
        answer = line.send(sample(f"02-srp-hep2-negative/{name}.hl7"))
        assert answer is not None
        assert answer.code == "AA"
    line.channel.close()
    site.service.settled()
    (case,) = site.service.json("show", "--limit", "10")
    released = site.service.run("release", f"{case['key']}@{case['version']}", "--as", "Ida Roth")
    assert released.returncode == 0, released.stderr
    lis: Lis = site.lis  # type: ignore[attr-defined]
    until(lambda: lis.heard)
    assert b"LBCMT" in lis.heard[0]
    assert lis.shown == ["labbridge"]
    until(lambda: site.scraped("labbridge_comments_total").get('outcome="acknowledged",receiver="lis"') == 1)


def test_a_sender_without_a_certificate_is_refused_and_counted(site: Site) -> None:
    done = site.send("--tls", "--ca", str(site.authority.file))
    assert done.returncode == 1
    assert "closed without an answer; does the listener ask for another certificate?" in done.stdout
    stranger = site.authority.issue("stranger")
    done = site.send("--tls", "--ca", str(site.authority.file), *_files(stranger))
    assert done.returncode == 1
    other = site.clients.issue("other", ["other.lab.example"])
    done = site.send("--tls", "--ca", str(site.authority.file), *_files(other))
    assert done.returncode == 1
    refused = site.scraped("labbridge_feed_connections_refused_total")
    assert refused == {
        'feed="myolis",reason="handshake_no_certificate"': 1,
        'feed="myolis",reason="handshake_unknown_authority"': 1,
        'feed="myolis",reason="wrong_client_name"': 1,
    }
    assert '"client_refused"' in site.service.log()
    assert "other.lab.example" not in site.service.log()


def test_send_speaks_tls(site: Site) -> None:
    done = site.send("--tls", "--ca", str(site.authority.file), *_files(site.known))
    assert (done.returncode, done.stderr) == (0, "")
    assert " AA" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--tls"], 1, "no TLS connection: the certificate is not signed by a known authority; see --ca"),
        (["--tls", "--ca", "CA", "--server-name", "other.example"], 1, "the certificate is for another name"),
        (["--tls", "--ca", "nowhere.pem"], 78, "--tls.ca: nowhere.pem: there is no such file; name an existing one"),
        (["--tls", "--certificate", "x"], 78, "--certificate and --key go together"),
        (["--ca", "x"], 2, "need --tls"),
    ],
)
def test_send_says_what_is_wrong(site: Site, words: list[str], code: int, said: str) -> None:
    done = site.send(*(str(site.authority.file) if word == "CA" else word for word in words))
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_senders_message_is_refused_and_kept(site: Site) -> None:
    """S-02: the certificate is right, and MSH-3 is not the one of this feed."""
    before = site.service.counts()["quarantined"]
    line = site.line()
    forged = (
        sample("02-srp-hep2-negative/1a-ck.hl7").replace(b"|MYOLIS|", b"|OTHERLIS|", 1).replace(b"|S2001", b"|FORGED")
    )
    line.channel.sendall(frame(forged))
    raw = line.raw_answer()
    assert raw is not None
    assert ack.read_ack(raw).code == "AR"
    assert b"207" in raw.split(b"ERR|")[1].split(b"\r")[0]
    line.channel.close()
    assert site.service.counts()["quarantined"] == before + 1
    (kept,) = [one for one in site.service.json("quarantine") if one["control_id"] == "FORGED"]
    assert (kept["code"], kept["place"]) == ("207", "MSH^1^3")
    assert sum(site.scraped("labbridge_quarantine_messages").values()) == before + 1


def test_what_is_in_force_is_shown(site: Site) -> None:
    days = {key: seconds / 86400 for key, seconds in site.scraped("labbridge_certificate_expiry_seconds").items()}
    assert {key: round(one) for key, one in days.items()} == {
        'key="feeds.myolis.tls.certificate"': 30,
        'key="feeds.myolis.tls.client_ca"': 90,
        'key="receivers.lis.tls.ca"': 90,
        'key="receivers.lis.tls.certificate"': 30,
    }
    assert site.scraped("labbridge_feed_plaintext") == {'feed="myolis"': 0}


# ---------------------------------------------------------------- renewal


class Load:
    """Senders on open connections and senders that come anew for each message, until told to stop."""

    def __init__(self, site: Site) -> None:
        self.site, self.stop = site, threading.Event()
        self.answered: list[str] = []
        self.serials: list[int] = []
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self.stay, args=(number,)) for number in range(3)]
        self.threads += [threading.Thread(target=self.come, args=(number,)) for number in range(3, 5)]

    def stay(self, number: int) -> None:
        line, count = self.site.line(), 0
        while not self.stop.is_set():
            count += 1
            self.ask(line, f"L{number}-{count}")
        line.channel.close()

    def come(self, number: int) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            try:
                line = self.site.line()
            except OSError as fault:
                self.faults.append(f"no connection: {fault}")
                return
            assert isinstance(line.channel, ssl.SSLSocket)
            self.serials.append(int(line.channel.getpeercert()["serialNumber"], 16))  # type: ignore[index, arg-type]
            self.ask(line, f"L{number}-{count}")
            line.channel.close()

    def ask(self, line: Sender, control_id: str) -> None:
        answer = line.send(sample("02-srp-hep2-negative/1a-ck.hl7").replace(b"|S2001", b"|" + control_id.encode()))
        if answer is None or (answer.code, answer.control_id) != ("AA", control_id):
            self.faults.append(control_id)
            self.stop.set()
        self.answered.append(control_id)


def test_certificates_are_renewed_under_load_without_a_lost_message_or_connection(site: Site) -> None:
    load = Load(site)
    for thread in load.threads:
        thread.start()
    process = site.service.process
    assert process is not None
    serials = []
    for number in range(6):
        before = len(load.answered)
        until(lambda at=before: len(load.answered) > at + 20 or load.stop.is_set())
        site.server.replace(site.authority.issue(f"renewed{number}"))
        serials.append(site.server.read.serial_number)
        if number % 2:
            assert site.service.run("reload", "--as", "Ida Roth").returncode == 0
        else:
            process.send_signal(signal.SIGHUP)
        until(lambda wanted=serials[-1]: wanted in load.serials or load.stop.is_set())
    load.stop.set()
    for thread in load.threads:
        thread.join(60)
    assert load.faults == []
    assert set(serials) <= set(load.serials)
    stored = {one["control_id"] for one in site.service.json("messages", "--limit", "100000")}
    assert set(load.answered) <= stored
    counted = site.scraped("labbridge_certificate_reloads_total")
    assert {about: count for about, count in counted.items() if count} == {
        'outcome="taken",section="feeds.myolis.tls"': 6
    }


def test_a_wrong_certificate_leaves_the_old_one_in_force_and_says_so(site: Site) -> None:
    good = site.server.key.read_bytes()
    site.server.key.write_bytes(site.authority.issue("unrelated").key.read_bytes())
    done = site.service.run("reload", "--as", "Ida Roth")
    assert done.returncode == 1
    assert f"feeds.myolis.tls.key: {site.server.key}: does not belong to the certificate" in done.stderr
    line = site.line()
    answer = line.send(sample("02-srp-hep2-negative/1a-ck.hl7"))
    assert answer is not None
    assert isinstance(line.channel, ssl.SSLSocket)
    assert int(line.channel.getpeercert()["serialNumber"], 16) == site.server.read.serial_number  # type: ignore[index, arg-type]
    line.channel.close()
    reloads = site.scraped("labbridge_certificate_reloads_total")
    assert reloads['outcome="refused",section="feeds.myolis.tls"'] == 1
    assert '"certificate_refused"' in site.service.log()
    site.server.key.write_bytes(good)
    done = site.service.run("reload", "--as", "Ida Roth")
    assert (done.returncode, "Renewed: feeds.myolis.tls" in done.stdout) == (0, True)


def test_a_service_with_a_wrong_file_opens_no_port(own: Service) -> None:
    with own.config.open("a", encoding="utf-8") as file:
        file.write('[feeds.myolis.tls]\ncertificate = "nowhere.pem"\nkey = "nowhere.key"\n')
    done = own.run("serve")
    assert done.returncode == 78
    assert done.stderr == ("feeds.myolis.tls.certificate: nowhere.pem: there is no such file; name an existing one\n")
    assert not (own.folder / "store.db").exists()


def _files(pair: Pair) -> list[str]:
    return ["--certificate", str(pair.certificate), "--key", str(pair.key)]
