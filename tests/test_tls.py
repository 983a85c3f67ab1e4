"""The files of TLS: every wrong one is one sentence with its key, its name and the repair, and no context is made of it."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tls_files import DAY, Authority, Pair, today

from labbridge import tls
from labbridge.config import Config, ConfigError, FeedTlsSection, ReceiverTlsSection, load


class Files:
    """Good files of a listener, to be spoiled."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority(folder)
        self.pair = self.authority.issue("server")
        self.crl = self.authority.revoke(self.authority.issue("gone"))

    def section(self) -> FeedTlsSection:
        return FeedTlsSection(
            certificate=str(self.pair.certificate),
            key=str(self.pair.key),
            client_ca=str(self.authority.file),
            crl=str(self.crl),
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def swap(files: Files, other: Pair) -> None:
    files.pair = other


def unrelated_key(files: Files) -> None:
    files.pair.key.write_bytes(files.authority.issue("other").key.read_bytes())


def other_list(files: Files) -> None:
    files.crl = Authority(files.folder, "another").revoke()


SPOILED: list[tuple[str, Callable[[Files], object], str, str]] = [
    ("missing certificate", lambda f: f.pair.certificate.unlink(), "certificate", "there is no such file; name an"),
    ("missing key", lambda f: f.pair.key.unlink(), "key", "there is no such file"),
    ("missing authority", lambda f: f.authority.file.unlink(), "client_ca", "there is no such file"),
    ("missing list", lambda f: f.crl.unlink(), "crl", "there is no such file"),
    (
        "not PEM",
        lambda f: f.pair.certificate.write_bytes(b"\x30\x82"),
        "certificate",
        "holds no certificate in PEM form",
    ),
    ("an empty file", lambda f: f.pair.certificate.write_bytes(b""), "certificate", "holds no certificate in PEM form"),
    (
        "broken base64",
        lambda f: f.pair.certificate.write_text("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"),
        "certificate",
        "holds no certificate in PEM form; export it as PEM",
    ),
    (
        "the key where the certificate should be",
        lambda f: f.pair.certificate.write_bytes(f.pair.key.read_bytes()),
        "certificate",
        "holds no certificate in PEM form",
    ),
    (
        "the certificate where the key should be",
        lambda f: f.pair.key.write_bytes(f.pair.certificate.read_bytes()),
        "key",
        "holds no private key in PEM form; name the file with BEGIN PRIVATE KEY",
    ),
    (
        "half a key",
        lambda f: f.pair.key.write_bytes(f.pair.key.read_bytes()[:90]),
        "key",
        "not taken by OpenSSL",
    ),
    ("another key", unrelated_key, "key", "does not belong to the certificate; name the key it was made with"),
    (
        "a key with a password",
        lambda f: swap(f, f.authority.issue("locked", password=b"secret")),
        "key",
        "is encrypted; keys with a password are not supported; decrypt it with openssl pkey",
    ),
    (
        "expired",
        lambda f: swap(f, f.authority.issue("old", ends=-DAY)),
        "certificate",
        f"expired on {today() - DAY:%Y-%m-%d}",
    ),
    (
        "authority not PEM",
        lambda f: f.authority.file.write_bytes(b"x"),
        "client_ca",
        "holds no certificate in PEM form",
    ),
    ("list not PEM", lambda f: f.crl.write_bytes(b"x"), "crl", "holds no revocation list in PEM form"),
    ("list of another authority", other_list, "crl", "is of another authority than client_ca; name the list of that"),
    (
        "list out of date",
        lambda f: f.authority.revoke(ends=timedelta(minutes=-5)),
        "crl",
        "put the authority's newest list there",
    ),
]


@pytest.mark.parametrize(("spoil", "key", "sentence"), [row[1:] for row in SPOILED], ids=[row[0] for row in SPOILED])
def test_every_wrong_file_is_one_sentence_with_its_place_and_repair(
    files: Files, spoil: Callable[[Files], object], key: str, sentence: str
) -> None:
    tls.listener("feeds.myolis.tls", files.section(), today())
    spoil(files)
    with pytest.raises(ConfigError) as caught:
        tls.listener("feeds.myolis.tls", files.section(), today())
    said = str(caught.value)
    assert said.startswith(f"feeds.myolis.tls.{key}: {files.folder}/")
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_a_file_that_may_not_be_read_is_said_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        files = Files(Path(folder))
        files.pair.key.chmod(0)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(
                ConfigError, match=r"tls\.key: .*may not be read by this account; change the file's perm"
            ):
                tls.listener("feeds.myolis.tls", files.section(), today())
        finally:
            os.seteuid(me)


def test_a_folder_is_no_file(files: Files) -> None:
    section = files.section().model_copy(update={"client_ca": str(files.folder)})
    with pytest.raises(ConfigError, match=r"client_ca: .*cannot be read \(Is a directory\)"):
        tls.listener("feeds.myolis.tls", section, today())


def test_a_certificate_of_tomorrow_is_not_valid_yet(files: Files) -> None:
    with pytest.raises(ConfigError, match=r"is valid only from .* or set the clock"):
        tls.listener("feeds.myolis.tls", files.section(), today() - 10 * DAY)


def test_an_authority_that_has_expired_is_refused_unless_another_is_there(files: Files, tmp_path: Path) -> None:
    old = Authority(tmp_path, "old-ca", ends=-DAY)
    section = ReceiverTlsSection(ca=str(old.file))
    with pytest.raises(ConfigError, match=r"receivers\.lis\.tls\.ca: .*expired on"):
        tls.client("receivers.lis.tls", section, today())
    old.file.write_bytes(old.file.read_bytes() + files.authority.file.read_bytes())
    assert tls.client("receivers.lis.tls", section, today()).expires["ca"] > today()


def test_what_is_in_force_says_when_it_ends(files: Files) -> None:
    ends = tls.listener("feeds.myolis.tls", files.section(), today()).expires
    assert {key: (one - today()).days for key, one in ends.items()} == {"certificate": 29, "client_ca": 89, "crl": 6}


def test_the_certificates_between_and_the_authoritys_may_follow_in_one_file(files: Files) -> None:
    whole = files.pair.certificate.read_bytes() + files.authority.file.read_bytes() + files.pair.key.read_bytes()
    files.pair.certificate.write_bytes(whole)
    section = files.section().model_copy(update={"key": str(files.pair.certificate)})
    assert tls.listener("feeds.myolis.tls", section, today()).expires["certificate"] < today() + 31 * DAY


def test_what_openssl_may_log_of_our_keys_is_not_asked_for(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(files.folder / "keys"))
    assert tls.listener("feeds.myolis.tls", files.section(), today()).context.keylog_filename is None
    assert tls.client("receivers.lis.tls", ReceiverTlsSection(), today()).context.keylog_filename is None


def test_another_byte_is_another_content(files: Files) -> None:
    section = files.section()
    before = tls.contents(section)
    assert tls.contents(section) == before
    for path in (files.pair.certificate, files.pair.key, files.authority.file, files.crl):
        text = path.read_bytes()
        path.write_bytes(text + b"\n")
        assert tls.contents(section) != before
        path.unlink()
        assert tls.contents(section) != before
        path.write_bytes(text)
    assert tls.contents(section) == before


# ---------------------------------------------------------------- the configuration


def configured(folder: Path, text: str) -> Config:
    path = folder / "labbridge.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_a_listener_with_tls_may_stand_beyond_loopback(tmp_path: Path) -> None:
    text = '[feeds.a]\nlisten = "0.0.0.0:2575"\n[feeds.a.tls]\ncertificate = "c"\nkey = "k"\n'
    found = configured(tmp_path, text).feeds["a"].tls
    assert found is not None
    assert (found.certificate, found.minimum_version) == ("c", "1.2")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[feeds.a.tls]\ncertificate = "c"', "feeds.a.tls.key: Field required"),
        ('[feeds.a.tls]\ncertificate = "c"\nkey = ""', "feeds.a.tls.key"),
        ('[feeds.a.tls]\ncertificate = "c"\nkey = "k"\ncrl = "r"', "feeds.a.tls: crl needs client_ca"),
        (
            '[feeds.a.tls]\ncertificate = "c"\nkey = "k"\nclient_names = ["x"]',
            "feeds.a.tls: client_names needs client_ca: without it no certificate is asked for",
        ),
        ('[feeds.a.tls]\ncertificate = "c"\nkey = "k"\nminimum_version = "1.1"', "feeds.a.tls.minimum_version"),
        (
            '[feeds.a.tls]\ncertificat = "c"\nkey = "k"',
            "feeds.a.tls.certificat: unknown key; did you mean certificate?",
        ),
        (
            '[receivers.l]\naddress = "h:1"\n[receivers.l.tls]\nserver_nam = "x"',
            "receivers.l.tls.server_nam: unknown key; did you mean server_name?",
        ),
        (
            '[receivers.l]\naddress = "h:1"\n[receivers.l.tls]\ncertificate = "c"',
            "receivers.l.tls: certificate and key go together",
        ),
        (
            '[receivers.l]\naddress = "h:1"\n[receivers.l.tls]\nverify = false',
            "receivers.l.tls.verify: unknown key; known are ca, certificate, key, minimum_version, server_name",
        ),
    ],
)
def test_a_wrong_section_names_the_key_and_the_repair(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    assert sentence in str(caught.value)


def test_the_sections_are_printed_as_a_file_that_reads_the_same(tmp_path: Path) -> None:
    from labbridge.config_text import effective

    text = (
        '[feeds.a.tls]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\nclient_names = ["x", "y"]\n'
        '[feeds.b]\n[receivers.l]\naddress = "h:1"\ntls = {}\n'
    )
    read = configured(tmp_path, text)
    assert read.receivers["l"].tls == ReceiverTlsSection()
    assert read.feeds["b"].tls is None
    assert configured(tmp_path, effective(read)).model_dump() == read.model_dump()


def test_the_environment_reaches_into_the_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABBRIDGE_RECEIVERS__L__TLS__CA", "/ca.pem")
    found = configured(tmp_path, '[receivers.l]\naddress = "h:1"\n').receivers["l"].tls
    assert found is not None
    assert found.ca == "/ca.pem"


def test_1_3_alone_is_a_choice() -> None:
    context = tls.client("receivers.l.tls", ReceiverTlsSection(minimum_version="1.3"), today()).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
