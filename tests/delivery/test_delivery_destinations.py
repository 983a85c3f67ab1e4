"""Where a delivery may go (S-07): names that lead elsewhere, addresses in disguise, redirects. Zero connections, counted on
real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from fhir_server import FhirServer, serving

from labbridge.config import Config
from labbridge.config_urls import base_url, endpoint
from labbridge.delivery.destinations import Destination, NotAllowed
from labbridge.delivery.fhir import FhirReceiver
from labbridge.delivery.http import HttpSettings
from labbridge.errors import Retry
from tests.fhir.fhir_letters import comment

QUICK = HttpSettings(timeout_s=0.6, connect_s=0.6)
NAME = "https://fhir.hospital.example/r4"


class Names:
    """A resolver that answers each time with the next of its answers, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with serving() as found:
        yield found


REFUSED_ALWAYS = (
    "169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "0.0.0.0", "0.1.2.3", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254",
    "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
)  # fmt: skip
PRIVATE = (
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED_ALWAYS)
async def test_some_addresses_are_never_sent_to(address: str) -> None:
    listed = ("0.0.0.0/0", "::/0")
    with pytest.raises(NotAllowed):
        await Destination(NAME, listed, Names([address])).addresses()


@pytest.mark.parametrize("address", PRIVATE)
async def test_private_addresses_are_for_the_configuration_to_name(address: str) -> None:
    with pytest.raises(NotAllowed, match="networks"):
        await Destination(NAME, (), Names([address])).addresses()
    with pytest.raises(NotAllowed, match="networks"):
        await Destination(NAME, ("10.99.0.0/16",), Names([address])).addresses()
    assert await Destination(NAME, ("0.0.0.0/0", "::/0"), Names([address])).addresses() == [address]


async def test_every_address_of_a_name_is_looked_at() -> None:
    """One that may not be sent to among several is enough: which of them a connection would use is chance."""
    with pytest.raises(NotAllowed):
        await Destination(NAME, (), Names(["93.184.215.14", "169.254.169.254"])).addresses()
    assert await Destination(NAME, (), Names(["93.184.215.14"])).addresses() == ["93.184.215.14"]


async def test_a_name_without_an_address_is_no_destination() -> None:
    with pytest.raises(OSError, match="no address"):
        await Destination(NAME, (), Names([])).addresses()


async def test_an_address_in_the_url_was_named_with_it() -> None:
    assert await Destination("https://10.1.2.3/r4").addresses() == ["10.1.2.3"]
    with pytest.raises(NotAllowed):
        await Destination("https://169.254.169.254/latest").addresses()


async def test_a_name_that_leads_elsewhere_a_moment_later_leads_nowhere(server: FhirServer) -> None:
    """Rebinding: the second answer of the name is this machine's metadata, and a listener there would be reached."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    with closing(socket.create_server(("127.0.0.2", server.port))) as elsewhere:
        elsewhere.setblocking(False)
        to = Destination(f"http://localhost:{server.port}/r4", ("127.0.0.1/32",), names)
        found = await FhirReceiver("ehr", to, QUICK).send(comment(), "LB-0001")
        assert found.takes("LB-0001")
        assert names.asked == 1  # for many requests
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
        assert {one.headers["host"] for one in server.asked} == {f"localhost:{server.port}"}
        before = len(server.asked)
        with pytest.raises(Retry, match="networks"):  # the next delivery asks again, and the name is not believed
            await FhirReceiver("ehr", to, QUICK).send(comment(), "LB-0001")
        assert len(server.asked) == before
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


async def test_plain_http_leaves_this_machine_by_no_name(server: FhirServer) -> None:
    to = Destination(f"http://localhost:{server.port}/r4", ("0.0.0.0/0",), Names(["192.0.2.1"]))
    with pytest.raises(NotAllowed, match="without TLS"):
        await to.addresses()


async def test_an_address_that_does_not_answer_gives_its_place_to_the_next(server: FhirServer) -> None:
    names = Names(["127.0.0.9", "127.0.0.1"])
    to = Destination(f"http://localhost:{server.port}/r4", ("127.0.0.0/8",), names)
    assert (await FhirReceiver("ehr", to, QUICK).send(comment(), "LB-0001")).takes("LB-0001")


async def test_a_redirect_to_the_metadata_is_not_followed(server: FhirServer) -> None:
    for what in ("GET Observation", "POST Observation"):
        server.fails(what, "redirect")
        found = await FhirReceiver("ehr", Destination(server.base), QUICK).send(comment(), "LB-0001")
        assert (found.code, found.takes("LB-0001")) == ("302", False)
    assert {one.path.partition("?")[0] for one in server.asked} == {"Observation"}


async def test_a_proxy_of_the_environment_is_not_used(server: FhirServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as proxy:
        proxy.setblocking(False)
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert (await FhirReceiver("ehr", Destination(server.base), QUICK).send(comment(), "LB-0001")).takes("LB-0001")
        with pytest.raises(BlockingIOError):
            proxy.accept()


# ---------------------------------------------------------------- the configuration


@pytest.mark.parametrize(
    "url",
    [
        "http://fhir.hospital.example/r4",
        "ftp://fhir.hospital.example/r4",
        "https://user:pass@fhir.hospital.example/r4",
        "https://fhir.hospital.example@169.254.169.254/r4",
        "https://fhir.hospital.example./r4",
        "https://2130706433/r4",
        "https://0x7f000001/r4",
        "https://0177.0.0.1/r4",
        "https://127.1/r4",
        "https://10.0.0.0x1/r4",
        "https://[::1%25eth0]/r4",
        "https://fhir.hospital.example/r4?x=1",
        "https://fhir.hospital.example/r4#x",
        "https://fhir.hospital.example:0/r4",
        "https://fhir.hospital.example:99999/r4",
        "https://fhir..example/r4",
        "https:\\\\fhir.hospital.example/r4",
        "https:///r4",
        "127.0.0.1:2575",
        "https://fhir.hospıtal.example/r4",
    ],
)
def test_urls_that_could_be_read_in_two_ways_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="write"):
        base_url(url)


def test_plain_urls_are_taken() -> None:
    assert base_url("https://fhir.hospital.example/r4/") == "https://fhir.hospital.example/r4"
    assert base_url("http://127.0.0.1:8080/fhir") == "http://127.0.0.1:8080/fhir"
    assert base_url("https://[2001:db8::1]:8443") == "https://[2001:db8::1]:8443"
    assert endpoint("https://fhir.hospital.example/r4") == "fhir.hospital.example:443"
    assert endpoint("https://[2001:db8::1]:8443/r4") == "[2001:db8::1]:8443"


EHR = {"kind": "fhir", "address": NAME}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({**EHR, "version": "2.4"}, "version is none of a receiver of kind fhir"),
        ({**EHR, "line_length": 60}, "line_length is none of a receiver of kind fhir"),
        ({"address": "127.0.0.1:9", "token_file": "t"}, "token_file is none of a receiver of kind mllp"),
        ({"address": "127.0.0.1:9", "interaction": "transaction"}, "interaction is none of a receiver of kind mllp"),
        ({**EHR, "comment_mode": "obx"}, "comment_mode is one of observation, report where kind is fhir"),
        ({"address": "127.0.0.1:9", "comment_mode": "observation"}, "comment_mode is one of obx, nte, report"),
        ({**EHR, "systems": {"LABA": "mrn"}}, "no absolute URL"),
        ({**EHR, "networks": ["10.0.0"]}, "does not appear to be"),
        ({"kind": "fhir", "address": "http://127.0.0.1/r4", "tls": {}}, "tls belongs to an address of https"),
        ({"kind": "fhir", "address": "127.0.0.1:9"}, "write"),
        ({"address": NAME}, "write HOST:PORT"),
    ],
)
def test_a_section_of_one_kind_refuses_the_keys_of_the_other_by_name(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Config.model_validate({"receivers": {"ehr": section}})


def test_an_acknowledgement_of_hl7_is_for_no_fhir_server() -> None:
    feed = {"application_ack": "ehr"}
    with pytest.raises(ValueError, match="names a FHIR server"):
        Config.model_validate({"feeds": {"lis": feed}, "receivers": {"ehr": EHR}})
