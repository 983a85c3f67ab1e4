"""One frozen configuration: a TOML file, and the environment, which wins (`LABBRIDGE_SECTION__KEY`).

Names carry their units. Unknown keys are refused with the nearest known name. docs/reference/configuration.md lists all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from labbridge import config_heartbeat, config_smart
from labbridge.config_heartbeat import HeartbeatSection
from labbridge.config_odbc import FeedOdbcSection, ReceiverOdbcSection
from labbridge.config_oidc import OidcSection
from labbridge.config_smart import ClientSection, FhirSection, ReceiverSmartSection
from labbridge.config_wires import (
    Address,
    FeedSection,
    FeedTlsSection,
    OptionalAddress,
    ReceiverSection,
    ReceiverTlsSection,
    Section,
    split_address,
)


class ConfigError(Exception):
    """The configuration cannot be used; each line names the key and the repair. Exit code 78."""


SQLITE = "sqlite:///"


class StoreSection(Section):
    url: str = Field(
        "sqlite:///var/labbridge.db",
        repr=False,
        description="where everything is kept: a SQLite file, or a PostgreSQL database"
        " (`postgresql+psycopg://user@host:5432/database`; the password here, in PGPASSWORD or in ~/.pgpass)",
    )
    folder: str = Field("var", description="folder of the control socket, where the store is no file")
    durability: Literal["server", "strict"] = Field(
        "server", description="PostgreSQL: strict starts only where commits wait for a standby too"
    )
    volatile: bool = Field(False, description="permit a store in memory (tmpfs), for a trial: a restart empties it")

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(self.url.removeprefix(SQLITE)) if self.url.startswith(SQLITE) else None

    @property
    def beside(self) -> Path:
        """What the control socket lies beside: the SQLite file, else the database's name in `folder`."""
        return self.file or Path(self.folder) / re.sub(r"[^\w.-]", "_", unquote(urlsplit(self.url).path[1:]))

    @property
    def named(self) -> str:
        """The store by name, without a password."""
        return str(self.file or self.masked)

    @property
    def masked(self) -> str:
        """The URL without the passwords in it."""
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        name, colon, _password = user.partition(":")
        query = re.sub(r"((?:^|&)[^=&]*password=)[^&]*", r"\1***", parts.query, flags=re.IGNORECASE)
        asked = f"?{query}" if query else ""
        shown = f"{parts.scheme}://{name}{':***' if colon else ''}{at}{host}{parts.path}{asked}"
        return self.url if self.file else shown

    @model_validator(mode="after")
    def _known(self) -> StoreSection:
        if self.url.startswith(SQLITE) and self.url != SQLITE:
            return self
        parts = urlsplit(self.url)
        odd = "@" in parts.path + parts.query + parts.fragment or parts.fragment
        if parts.scheme in ("postgresql", "postgresql+psycopg") and len(parts.path) > 1 and not odd:
            return self
        raise ValueError(
            "write sqlite:///path/to/file.db, or postgresql+psycopg://user@host:5432/database with @ : / ? # of a password"
            " as %40 %3A %2F %3F %23"
        )


class NodeSection(Section):
    name: str = Field("", description="this node among several on one PostgreSQL store; empty: the name of the machine")
    renewal_s: float = Field(
        10.0,
        ge=1,
        le=300,
        description="a node that has said nothing for so long is taken for lost, and others take over",
    )


class KnowledgeSection(Section):
    site: str = Field("", description="folder with the site's own codes, assays, policy and comments")


class AdminSection(Section):
    listen: Address = Field("127.0.0.1:9464", description="metrics and readiness")


class ReviewSection(Section):
    undo_s: float = Field(
        120.0, ge=0, le=540, description="a comment signed at the workbench leaves after this; undo until then"
    )


class WebSection(Section):
    listen: OptionalAddress = Field("127.0.0.1:8080", description="address of the workbench; empty: there is none")
    hosts: tuple[str, ...] = Field((), description="names by which browsers reach it, beside those of this machine")
    behind_tls: bool = Field(
        False, description="a proxy on this machine speaks TLS in front, and says so (X-Forwarded-*)"
    )
    idle_s: float = Field(900.0, gt=0, description="a sign-in that nobody uses ends after this (15 min)")
    longest_s: float = Field(36_000.0, gt=0, description="a sign-in ends after this in any case (10 h)")
    signing_s: float = Field(
        300.0, ge=0, description="within this of giving the password a signature does not ask again"
    )
    instance: Literal["production", "test"] = Field("production", description="test: every page says that it is none")
    oidc: OidcSection | None = Field(None, description="see [web.oidc]; without: accounts with passwords alone")


class AuditSection(Section):
    key: str = Field("", description="signing key of the anchors (`labbridge audit key FILE`); empty: none are made")
    anchors: str = Field("", description="file the anchors are appended to; where this service cannot write it anew")
    anchor_s: float = Field(3600.0, gt=0, description="seconds between two anchors at most, where lines were written")
    anchor_entries: int = Field(1000, ge=1, description="audit lines between two anchors at most")

    @model_validator(mode="after")
    def _both(self) -> AuditSection:
        if bool(self.key) != bool(self.anchors):
            raise ValueError("key and anchors belong together: name both, or neither")
        return self


class RetentionSection(Section):
    raw_d: int = Field(3650, ge=35, description="days the bytes of finished messages are kept (`labbridge expire`)")


class ReleaseSection(Section):
    enabled: bool = Field(False, description="release by rule, as the signed rows of the site's release.yaml say")


class LimitsSection(Section):
    frame_bytes: int = Field(16 * 2**20, ge=2**16, description="longest message taken")
    frame_timeout_s: float = Field(30.0, gt=0, description="from the first byte of a frame to its last")
    idle_timeout_s: float = Field(86400.0, gt=0, description="a silent connection is closed after this")
    connections_per_address: int = Field(32, ge=1, description="connections one address may hold")
    connections: int = Field(1024, ge=1, description="connections in all; an eighth is kept for known peers")
    inflight_bytes: int = Field(128 * 2**20, ge=2**20, description="bytes read and not yet answered, in all")
    disk_free_bytes: int = Field(2 * 2**30, ge=0, description="below this (or 5 %) free, reading pauses")
    comments_per_specimen: int = Field(5, ge=1, description="comments that may leave for one specimen in 24 hours")
    drain_s: float = Field(10.0, gt=0, description="time to finish frames in hand at a stop")


class Config(BaseSettings):
    """What is in force. Built by `load`; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="LABBRIDGE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    store: StoreSection = StoreSection()
    node: NodeSection = NodeSection()
    feeds: dict[str, FeedSection] = {}
    receivers: dict[str, ReceiverSection] = {}
    knowledge: KnowledgeSection = KnowledgeSection()
    admin: AdminSection = AdminSection()
    review: ReviewSection = ReviewSection()
    web: WebSection = WebSection()
    fhir: FhirSection = FhirSection()
    audit: AuditSection = AuditSection()
    retention: RetentionSection = RetentionSection()
    release: ReleaseSection = ReleaseSection()
    heartbeat: HeartbeatSection = HeartbeatSection()
    limits: LimitsSection = LimitsSection()
    facility: str = Field("", description="MSH-4 of what this service sends")
    application: str = Field("LABBRIDGE", description="MSH-3 of what this service sends")

    @model_validator(mode="after")
    def _routes(self) -> Config:
        for name, feed in self.feeds.items():
            if feed.kind == "fhir" and not self.web.listen:
                raise ValueError(f"feeds.{name} takes FHIR at the address of [web] listen, which is empty")
            if feed.receiver and feed.receiver not in self.receivers:
                raise ValueError(f"feeds.{name}.receiver names {feed.receiver!r}, which is not configured")
            if feed.application_ack and feed.application_ack not in self.receivers:
                raise ValueError(
                    f"feeds.{name}.application_ack names {feed.application_ack!r}, which is not configured"
                )
            if feed.application_ack and self.receivers[feed.application_ack].kind != "mllp":
                kind = {"fhir": "a FHIR server", "odbc": "a table"}[self.receivers[feed.application_ack].kind]
                raise ValueError(f"feeds.{name}.application_ack names {kind}, which takes no acknowledgements")
            if not feed.receiver and len(self.receivers) > 1:
                raise ValueError(f"feeds.{name}.receiver must name one of {', '.join(self.receivers)}")
        for fault in config_smart.faults(self.fhir, {name: feed.kind for name, feed in self.feeds.items()}):
            raise ValueError(fault)
        for fault in config_heartbeat.faults(self.heartbeat, self.feeds):
            raise ValueError(fault)
        return self

    def receiver_of(self, feed: str) -> str | None:
        """The receiver that takes the comments of a feed; None where none is configured."""
        named = self.feeds[feed].receiver if feed in self.feeds else ""
        return named or next(iter(self.receivers), None)

    def language_of(self, feed: str) -> str:
        """The language of the comments on a feed: its receiver's; English where no receiver is configured."""
        section = self.receivers.get(self.receiver_of(feed) or "")
        return section.language if section is not None else "en"


def load(path: Path | None) -> Config:
    """The configuration of a TOML file and the environment. ConfigError names every fault, with its repair."""
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: there is no such file; `labbridge config` prints one to start from")

    class FromFile(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (env_settings, TomlConfigSettingsSource(settings_cls, path))

    try:
        return FromFile()
    except ValidationError as error:
        raise ConfigError("\n".join(_sentences(error))) from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _sentences(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in fault["loc"]) or "configuration"
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(fault["loc"][-1]), _known(fault["loc"]), 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_known(fault['loc']))}"
            yield f"{place}: unknown key; {hint}"
        else:
            yield f"{place}: {fault['msg'].removeprefix('Value error, ')}"


SECTIONS: dict[str, type[BaseModel]] = {
    "store": StoreSection,
    "node": NodeSection,
    "feeds": FeedSection,
    "receivers": ReceiverSection,
    "knowledge": KnowledgeSection,
    "admin": AdminSection,
    "review": ReviewSection,
    "web": WebSection,
    "fhir": FhirSection,
    "audit": AuditSection,
    "retention": RetentionSection,
    "release": ReleaseSection,
    "heartbeat": HeartbeatSection,
    "limits": LimitsSection,
}


NAMED = ("feeds", "receivers")
OF_NAMES = frozenset({"clients"})  # within a section, one for each name
WITHIN: dict[str, dict[str, type[BaseModel]]] = {
    "feeds": {"tls": FeedTlsSection, "odbc": FeedOdbcSection},
    "receivers": {"tls": ReceiverTlsSection, "smart": ReceiverSmartSection, "odbc": ReceiverOdbcSection},
    "web": {"oidc": OidcSection},
    "fhir": {"clients": ClientSection},
}


def _known(location: tuple[Any, ...]) -> list[str]:
    name = str(location[0])
    section = SECTIONS.get(name) if len(location) > 1 else None
    for key, within in WITHIN.get(name, {}).items():
        if key in location[2 if name in NAMED else 1 : -1]:
            section = within
    return sorted(section.model_fields if section else Config.model_fields)


__all__ = [
    "Config",
    "ConfigError",
    "FeedSection",
    "FeedTlsSection",
    "LimitsSection",
    "ReceiverSection",
    "ReceiverTlsSection",
    "StoreSection",
    "load",
    "split_address",
]
