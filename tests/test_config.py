"""One configuration: a TOML file and the environment, which wins; unknown keys refused with the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbridge import config, config_oidc, config_text

PLAIN = """
facility = "LABA"
[feeds.lis]
listen = "127.0.0.1:2599"
timezone = "Europe/Paris"
[receivers.lis]
address = "127.0.0.1:2600"
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "labbridge.toml"
    path.write_text(text)
    return config.load(path)


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_a_file_is_read_and_the_rest_has_defaults(tmp_path: Path) -> None:
    read = load(tmp_path, PLAIN)
    assert read.feeds["lis"].timezone == "Europe/Paris"
    assert read.feeds["lis"].empty_status == "hold"
    assert read.receivers["lis"].mode == "obx"
    assert read.admin.listen == "127.0.0.1:9464"
    assert read.release.enabled is False


OIDC = '[web.oidc]\nissuer = "https://login.hospital.example/realms/lab"\nclient_id = "labbridge"\n'


def test_without_a_file_the_defaults_hold() -> None:
    assert config.load(None).store.file == Path("var/labbridge.db")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///var/a:b@c.db", "sqlite:///var/a:b@c.db"),
        ("postgresql+psycopg://lab@db:5432/lab", "postgresql+psycopg://lab@db:5432/lab"),
        ("postgresql+psycopg://lab:s3cret@db:5432/lab", "postgresql+psycopg://lab:***@db:5432/lab"),
        ("postgresql://lab:s3%40cret@a:1,b:2/lab?sslmode=require", "postgresql://lab:***@a:1,b:2/lab?sslmode=require"),
        ("postgresql:///lab?host=/run/pg&password=s3cret&x=1", "postgresql:///lab?host=/run/pg&password=***&x=1"),
        ("postgresql://db/lab?sslpassword=s3cret", "postgresql://db/lab?sslpassword=***"),
    ],
)
def test_a_store_is_printed_without_its_password(tmp_path: Path, url: str, shown: str) -> None:
    read = load(tmp_path, f'[store]\nurl = "{url}"\n')
    assert f'url = "{shown}"' in config_text.effective(read)
    assert "cret" not in config_text.effective(read) + repr(read) + read.store.named


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite:///", "mysql://db/lab", "postgresql://db", "postgresql://lab:s3#cret@db/lab", "/var/lab.db"),
        *("postgresql://lab:s3/cret@db/lab", "postgresql://lab:s3?cret@db/lab"),
    ],
)
def test_a_url_that_names_no_store_is_refused_without_quoting_it(tmp_path: Path, url: str) -> None:
    said = fault(tmp_path, f'[store]\nurl = "{url}"\n')
    assert "write sqlite:///path/to/file.db, or postgresql+psycopg://user@host:5432/database" in said
    assert "cret" not in said


def test_the_control_socket_lies_beside_the_file_or_in_the_folder(tmp_path: Path) -> None:
    assert load(tmp_path, '[store]\nurl = "sqlite:////srv/lab.db"\n').store.beside == Path("/srv/lab.db")
    there = '[store]\nurl = "postgresql://lab@db/lab%20one"\nfolder = "/run/lab"\n'
    assert load(tmp_path, there).store.beside == Path("/run/lab/lab_one")
    assert load(tmp_path, there).store.file is None


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABBRIDGE_ADMIN__LISTEN", "127.0.0.1:1234")
    monkeypatch.setenv("LABBRIDGE_FEEDS__LIS__LISTEN", "127.0.0.1:99")
    read = load(tmp_path, PLAIN)
    assert read.admin.listen == "127.0.0.1:1234"
    assert read.feeds["lis"].listen == "127.0.0.1:99"
    assert read.feeds["lis"].timezone == "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[feeds.lis]\nlisen = '127.0.0.1:1'", "feeds.lis.lisen: unknown key; did you mean listen?"),
        ("[recievers.lis]\naddress = '127.0.0.1:1'", "recievers: unknown key; did you mean receivers?"),
        ("[admin]\nport = 9", "admin.port: unknown key; known are listen"),
        ("[admin]\nlisten = '9464'", "admin.listen: write HOST:PORT"),
        ("[admin]\nlisten = 'h:99999'", "admin.listen: write HOST:PORT"),
        ("[feeds.lis]\ntimezone = 'Europe/Pariss'", "feeds.lis.timezone: write an IANA time zone"),
        ("[feeds.lis]\nlisten = '0.0.0.0:2575'", "needs allow_plaintext = true"),
        ("[feeds.lis]\npeers = ['nonsense']", "feeds.lis"),
        ("[store]\nurl = 'postgresql://x'", "store: write sqlite:///path/to/file.db"),
        ("[store]\nurl = 'sqlite:///'", "store: write sqlite:///path/to/file.db"),
        ("[release]\nenabled = 'perhaps'", "release.enabled"),
        ("[receivers.lis]\ncomment_mode = 'obx'", "receivers.lis.address"),
        ("[feeds.a]\nreceiver = 'x'", "feeds.a.receiver names 'x', which is not configured"),
        (
            "[feeds.a]\n[receivers.x]\naddress = 'h:1'\n[receivers.y]\naddress = 'h:2'",
            "feeds.a.receiver must name one of x, y",
        ),
        ("[receivers.l]\naddress = 'h:1'\nretest = 'orders'", "receivers.l.retest: Input should be 'advise', 'order'"),
        ("[receivers.l]\naddress = 'h:1'\norder_action = 'R'", "receivers.l.order_action"),
        ("[receivers.l]\naddress = 'h:1'\norder_mesage = 'orm'", "unknown key; did you mean order_message?"),
        (
            "[receivers.l]\naddress = 'h:1'\nversion = '2.8'\norder_message = 'orm'",
            'receivers.l: HL7 2.8 has no ORM^O01; set order_message = "oml"',
        ),
        (
            "[receivers.l]\naddress = 'h:1'\nversion = '2.3.1'\norder_message = 'oml'",
            'receivers.l: HL7 2.3.1 has no OML^O21; set order_message = "orm"',
        ),
        ("[web.oidc]\nclient_id = 'x'", "web.oidc.issuer"),
        ("[web.oidc]\nisuer = 'x'", "web.oidc.isuer: unknown key; did you mean issuer?"),
        ("[web]\nodic = 1", "web.odic: unknown key; did you mean oidc?"),
        (
            "[web.oidc]\nissuer = 'http://login.example'",
            "web.oidc.issuer: write the provider's issuer as it names itself",
        ),
        ("[web.oidc]\nissuer = 'https://a:b@login.example'", "web.oidc.issuer: write the provider's issuer"),
        ("[web.oidc]\nissuer = 'https://login.example/?x=1'", "web.oidc.issuer: write the provider's issuer"),
        (OIDC + "algorithms = ['none']", "web.oidc.algorithms.0"),
        (OIDC + "algorithms = ['HS256']", "web.oidc.algorithms.0"),
        (OIDC + "algorithms = []", "web.oidc.algorithms"),
        (OIDC + "roles = {lab = 'god'}", "web.oidc.roles.lab"),
        (OIDC + "client_secret = 'a'\nclient_secret_file = 'b'", "name one of the two"),
        (OIDC + "feeds = {north = 'a'}", "feeds needs feeds_claim"),
        (OIDC + "scopes = ['profile']", "scopes needs openid"),
        ("[feeds", "labbridge.toml"),
    ],
)
def test_every_fault_names_the_key_and_the_repair(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in fault(tmp_path, text)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    assert len(fault(tmp_path, "[admin]\nport = 1\nlisten = 'x'").splitlines()) == 2


def test_a_missing_file_is_named() -> None:
    with pytest.raises(config.ConfigError, match="there is no such file"):
        config.load(Path("nowhere.toml"))


def test_comments_of_a_feed_go_to_its_receiver(tmp_path: Path) -> None:
    assert load(tmp_path, PLAIN).receiver_of("lis") == "lis"
    assert load(tmp_path, PLAIN).receiver_of("gone") == "lis"
    assert load(tmp_path, "[feeds.lis]").receiver_of("lis") is None
    named = "[feeds.a]\nreceiver = 'y'\n[receivers.x]\naddress = 'h:1'\n[receivers.y]\naddress = 'h:2'"
    assert load(tmp_path, named).receiver_of("a") == "y"


def test_what_is_in_force_is_printed_as_a_file_that_reads_the_same(tmp_path: Path) -> None:
    read = load(tmp_path, PLAIN + '[feeds.two]\ndefault_method = {SRP = "line_blot"}\npeers = ["10.0.0.0/8"]\n')
    again = load(tmp_path, config_text.effective(read))
    assert again.model_dump() == read.model_dump()


def test_the_identity_provider_is_printed_without_its_secret(tmp_path: Path) -> None:
    more = 'client_secret = "s3cret"\nroles = {"CN=Lab, OU=x" = "scientist", lab-oa = "senior"}\n'
    read = load(tmp_path, OIDC + more)
    told = config_text.effective(read)
    assert "s3cret" not in told + repr(read)
    assert 'client_secret = "***"' in told
    again = load(tmp_path, told)
    assert again.web.oidc is not None
    assert again.web.oidc.roles == {"CN=Lab, OU=x": "scientist", "lab-oa": "senior"}


def test_the_secret_of_the_identity_provider_comes_by_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    read = load(tmp_path, OIDC + f'client_secret_file = "{tmp_path / "secret"}"\n').web.oidc
    assert read is not None
    assert read.secret() == "s3cret"
    monkeypatch.setenv("LABBRIDGE_WEB__OIDC__CLIENT_SECRET", "of the environment")
    read = load(tmp_path, OIDC).web.oidc
    assert read is not None
    assert read.secret() == "of the environment"


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("lis", False)],
)
def test_loopback(host: str, local: bool) -> None:
    assert config_oidc.loopback(host) is local


def test_addresses_split_into_host_and_port() -> None:
    assert config.split_address("[::1]:2575") == ("::1", 2575)
    assert config.split_address("lis:1") == ("lis", 1)


def test_the_reference_page_is_the_printed_one() -> None:
    page = Path(__file__).parent.parent / "docs/reference/configuration.md"
    assert page.read_text() == config_text.reference(), "run `make docs`"


def test_the_receiver_of_application_acknowledgements_must_be_configured(tmp_path: Path) -> None:
    path = tmp_path / "labbridge.toml"
    path.write_text('[feeds.a]\napplication_ack = "nobody"\n', encoding="utf-8")
    with pytest.raises(config.ConfigError, match="application_ack names 'nobody'"):
        config.load(path)
