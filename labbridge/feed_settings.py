"""A feed as its configuration describes it, for what reads its messages."""

from __future__ import annotations

from labbridge.config import Config, FeedSection
from labbridge.model.work import Feed


def feed_of(name: str, section: FeedSection) -> Feed:
    """A feed's settings as the story reads them."""
    return Feed(
        name=name,
        sender=section.sender,
        timezone=section.timezone,
        charset=section.charset,
        decimal_mark=section.decimal_mark,
        postfix_comparators=section.postfix_comparators,
        cytoplasmic_reported_as=section.cytoplasmic_reported_as,
        empty_status=section.empty_status,
        processing_id=section.processing_id,
        default_method=section.default_method,
        settle_s=section.settle_s,
        application_ack=section.application_ack,
        second_identifier=section.second_identifier,
        kind=section.kind,
        authorities=section.authorities,
        local_systems=section.local_systems,
        columns=section.odbc.columns if section.odbc is not None else {},
        parts=section.odbc.parts if section.odbc is not None else {},
        key=(section.odbc.together or section.odbc.key) if section.odbc is not None else (),
    )


def fhir_feeds(config: Config) -> tuple[str, ...]:
    """The feeds that take FHIR."""
    return tuple(name for name, section in config.feeds.items() if section.kind == "fhir")


def mllp_feeds(config: Config) -> tuple[tuple[str, FeedSection], ...]:
    """The feeds with a listener of their own."""
    return tuple((name, section) for name, section in config.feeds.items() if section.kind == "mllp")


def odbc_feeds(config: Config) -> tuple[str, ...]:
    """The feeds that are read from a view."""
    return tuple(name for name, section in config.feeds.items() if section.kind == "odbc")
