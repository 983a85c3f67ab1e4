"""[feeds.NAME] and [receivers.NAME]: by which wires results come and comments leave."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from labbridge.config_odbc import FeedOdbcSection, ReceiverOdbcSection
from labbridge.config_oidc import loopback
from labbridge.config_smart import ReceiverSmartSection
from labbridge.config_urls import base_url, endpoint
from labbridge.hl7.charset import codec
from labbridge.hl7.ordering import message_of, unfit


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("write HOST:PORT, for example 127.0.0.1:2575")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("write an IANA time zone, for example Europe/Paris") from error
    return text


def _charset(text: str) -> str:
    if text and codec(text) is None:
        raise ValueError("write a name of HL7 table 0211, for example UNICODE UTF-8 or 8859/1")
    return text


Address = Annotated[str, AfterValidator(_address)]
OptionalAddress = Annotated[str, AfterValidator(lambda text: text and _address(text))]
Zone = Annotated[str, AfterValidator(_zone)]
Charset = Annotated[str, AfterValidator(_charset)]


def split_address(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedTlsSection(Section):
    certificate: str = Field(min_length=1, description="PEM file: this listener's certificate, then those between")
    key: str = Field(min_length=1, description="PEM file: its private key, without a password")
    client_ca: str = Field("", description="PEM file: authorities; with it every sender must show a certificate of one")
    client_names: tuple[str, ...] = Field(
        (),
        description="names a sender's certificate may carry: SAN DNS or URI, CN where it has neither; empty: any",
    )
    crl: str = Field("", description="PEM file: revocation lists of client_ca; who is listed is refused")
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="oldest version of TLS that is spoken")

    @model_validator(mode="after")
    def _together(self) -> FeedTlsSection:
        for name in ("client_names", "crl"):
            if getattr(self, name) and not self.client_ca:
                raise ValueError(f"{name} needs client_ca: without it no certificate is asked for")
        return self


class ReceiverTlsSection(Section):
    ca: str = Field("", description="PEM file: authorities of the receiver; empty: the system's")
    certificate: str = Field("", description="PEM file: the certificate to show, where the receiver asks for one")
    key: str = Field("", description="PEM file: its private key, without a password")
    server_name: str = Field("", description="name in the receiver's certificate; empty: the host of address")
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="oldest version of TLS that is spoken")

    @model_validator(mode="after")
    def _together(self) -> ReceiverTlsSection:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together: name both or neither")
        return self


MLLP_ALONE = frozenset("listen peers proxies allow_plaintext charset application_ack tls".split())
FHIR_ALONE = frozenset("authorities local_systems".split())
ODBC_ALONE = frozenset(("odbc",))
OTHERS = {"mllp": FHIR_ALONE | ODBC_ALONE, "fhir": MLLP_ALONE | ODBC_ALONE, "odbc": MLLP_ALONE | FHIR_ALONE}


class FeedSection(Section):
    kind: Literal["mllp", "fhir", "odbc"] = Field(
        "mllp",
        description="how results arrive; fhir: at the address of [web], under /fhir, with a token; odbc: read from a view of"
        " the LIS",
    )
    listen: Address = Field("127.0.0.1:2575", description="address to listen on")
    peers: tuple[str, ...] = Field((), description="addresses or networks (CIDR) that may connect; empty: any")
    proxies: tuple[str, ...] = Field(
        (), description="load balancers (addresses or networks) that say who the peer is by the PROXY protocol, 1 or 2"
    )
    allow_plaintext: bool = Field(False, description="permit a listener without TLS beyond loopback")
    sender: str = Field("", description="MSH-3|MSH-4 expected on this feed; empty: any")
    timezone: Zone = Field("UTC", description="IANA zone of times sent without an offset")
    charset: Charset = Field("", description="character set of this feed, where MSH-18 cannot be trusted")
    decimal_mark: Literal[".", ","] = Field(".", description="decimal mark of numbers on this feed")
    postfix_comparators: bool = Field(
        False,
        description="this laboratory writes `100<` for above 100, `U100`, `↑200`, `200～`; else such a value is held",
    )
    cytoplasmic_reported_as: Literal["positive", "negative", "negative_with_comment", "unknown"] = Field(
        "unknown", description="how this laboratory reports cytoplasmic HEp-2 fluorescence"
    )
    empty_status: Literal["hold", "final"] = Field("hold", description="what an empty result status means")
    processing_id: Literal["P", "T", "D"] = Field("P", description="MSH-11 this feed takes")
    default_method: dict[str, str] = Field({}, description="method by analyte, for senders that name none")
    settle_s: float = Field(259_200.0, ge=0, description="seconds to wait for the rest of a panel (72 h)")
    receiver: str = Field("", description="receiver of the comments; empty: the only one configured")
    application_ack: str = Field(
        "", description="receiver of application acknowledgements (MSH-16); empty: none is sent"
    )
    second_identifier: Literal["required", "where_sent"] = Field(
        "required",
        description="whether birth date or name must agree, beside the number, before held results are used;"
        " where_sent: messages that state neither are taken at their number",
    )
    authorities: dict[str, str] = Field(
        {}, description="fhir: assigning authority by identifier system, as other feeds name it; else the system itself"
    )
    local_systems: tuple[str, ...] = Field((), description="fhir: code systems that are the laboratory's own codes")
    tls: FeedTlsSection | None = Field(None, description="see [feeds.NAME.tls]; without: plain text")
    odbc: FeedOdbcSection | None = Field(None, description="odbc: see [feeds.NAME.odbc]")

    @property
    def plaintext(self) -> bool:
        """Whether others than this machine may send to it without TLS."""
        return self.tls is None and not loopback(split_address(self.listen)[0])

    @model_validator(mode="after")
    def _of_its_kind(self) -> FeedSection:
        for name in sorted(OTHERS[self.kind]):
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True):
                continue
            raise ValueError(f"{name} is none of a feed of kind {self.kind}; take it out")
        if self.kind == "odbc" and self.odbc is None:
            raise ValueError("a feed of kind odbc needs its section [feeds.NAME.odbc]: connection, view, key, changed")
        return self

    @model_validator(mode="after")
    def _safe(self) -> FeedSection:
        if self.plaintext and not self.allow_plaintext:
            raise ValueError("a listener beyond loopback without TLS needs allow_plaintext = true")
        for peer in (*self.peers, *self.proxies):
            ipaddress.ip_network(peer, strict=False)
        return self


TO_MLLP_ALONE = frozenset(
    "version update_mode order_message order_action line_length charset application facility accept_ca".split()
)
TO_FHIR_ALONE = frozenset("interaction systems networks token_file smart".split())
TO_ODBC_ALONE = frozenset(("odbc",))
TO_OTHERS = {
    "mllp": TO_FHIR_ALONE | TO_ODBC_ALONE,
    "fhir": TO_MLLP_ALONE | TO_ODBC_ALONE,
    "odbc": TO_MLLP_ALONE | TO_FHIR_ALONE | {"tls"},
}
MODES = {"mllp": ("obx", "nte", "report"), "fhir": ("observation", "report"), "odbc": ("row",)}


class ReceiverSection(Section):
    kind: Literal["mllp", "fhir", "odbc"] = Field(
        "mllp", description="how comments leave; fhir: to a FHIR R4 server over HTTP; odbc: into a table of the LIS"
    )
    address: str = Field(
        "",
        description="address of the LIS (HOST:PORT); fhir: the server's base URL, https, or http to this machine alone;"
        " odbc: none",
        validate_default=True,
    )
    version: Literal["2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2"] = Field(
        "2.5.1", description="HL7 version the receiver takes"
    )
    comment_mode: Literal["", "obx", "nte", "report", "observation", "row"] = Field(
        "",
        description="how the comment is carried; mllp: obx, nte or report; fhir: observation, or report (conclusion of a"
        " DiagnosticReport); odbc: row; empty: the first of its kind",
    )
    update_mode: Literal["action"] = Field("action", description="the receiver files each segment on its own")
    retest: Literal["advise", "order", "off"] = Field(
        "advise",
        description="retests are named in the comment (fhir: in a Task beside it); order: they are ordered too, as"
        " orders.yaml says",
    )
    order_message: Literal["", "oml", "orm"] = Field(
        "", description="oml (from 2.4) or orm (up to 2.6); empty: by version"
    )
    order_action: Literal["A", "G"] = Field("G", description="OBR-11: G, a reflex; A, add to the specimen at hand")
    line_length: int = Field(0, ge=0, le=4000, description="wrap text at this many characters; 0: never")
    charset: Charset = Field("UNICODE UTF-8", description="MSH-18 of outgoing messages")
    language: Literal["en", "fr", "de", "es"] = Field("en", description="language of the comments: en, fr, de or es")
    application: str = Field("", description="MSH-5 of outgoing messages; empty: the sender's MSH-3")
    facility: str = Field("", description="MSH-6 of outgoing messages; empty: the sender's MSH-4")
    timeout_s: float = Field(30.0, gt=0, description="how long to wait for an acknowledgement")
    accept_ca: bool = Field(True, description="a commit acknowledgement (CA) counts as delivered")
    interaction: Literal["each", "transaction"] = Field(
        "each",
        description="fhir: resource by resource, which every server has, or one Bundle that is taken whole or not",
    )
    systems: dict[str, str] = Field(
        {},
        description="fhir: identifier system (URL) by assigning authority; that of our own numbers and codes by the name"
        " of `application`",
    )
    networks: tuple[str, ...] = Field(
        (), description="fhir: private networks (CIDR) that the name in address may lead to; empty: none"
    )
    token_file: str = Field("", description="fhir: file with the bearer token, for the service's account alone (0600)")
    tls: ReceiverTlsSection | None = Field(
        None, description="see [receivers.NAME.tls]; without: plain text; fhir: the system's authorities"
    )
    smart: ReceiverSmartSection | None = Field(
        None, description="fhir: see [receivers.NAME.smart]; a token that is asked for, in the place of token_file"
    )

    odbc: ReceiverOdbcSection | None = Field(None, description="odbc: see [receivers.NAME.odbc]")

    @property
    def mode(self) -> str:
        """How the comment is carried: what was set, else the first of its kind."""
        return self.comment_mode or MODES[self.kind][0]

    @property
    def endpoint(self) -> str:
        """HOST:PORT of the address, whatever its kind; empty where it is a driver's."""
        return endpoint(self.address) if self.kind == "fhir" else self.address

    @field_validator("address")
    @classmethod
    def _addressed(cls, text: str, info: ValidationInfo) -> str:
        if info.data.get("kind") == "odbc":
            if text:
                raise ValueError("where a receiver of kind odbc is, its connection says; take address out")
            return ""
        return base_url(text) if info.data.get("kind") == "fhir" else _address(text)

    @field_validator("networks")
    @classmethod
    def _of_networks(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        for one in found:
            ipaddress.ip_network(one, strict=False)
        return found

    @field_validator("systems")
    @classmethod
    def _of_systems(cls, found: dict[str, str]) -> dict[str, str]:
        for authority, system in found.items():
            if ":" not in system or not system.isprintable() or set(system) & set(" |,$"):
                raise ValueError(f"the system of {authority} is no absolute URL; write it as the receiver knows it")
        return found

    @model_validator(mode="after")
    def _of_its_kind(self) -> ReceiverSection:
        for name in sorted(TO_OTHERS[self.kind]):
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                raise ValueError(f"{name} is none of a receiver of kind {self.kind}; take it out")
        if self.mode not in MODES[self.kind]:
            raise ValueError(f"comment_mode is one of {', '.join(MODES[self.kind])} where kind is {self.kind}")
        if self.kind == "odbc" and (self.odbc is None or self.retest == "order"):
            wrong = (
                "needs its section [receivers.NAME.odbc]"
                if self.odbc is None
                else "takes no orders: retest is advise or off"
            )
            raise ValueError(f"a receiver of kind odbc {wrong}")
        if self.token_file and self.smart is not None:
            raise ValueError("token_file and smart: name one of the two")
        if self.tls is not None and self.address.startswith("http:"):
            raise ValueError("tls belongs to an address of https; write https, or take the section out")
        return self

    @model_validator(mode="after")
    def _order(self) -> ReceiverSection:
        if fault := unfit(message_of(self.order_message, self.version), self.version):
            raise ValueError(fault)
        return self
