"""Sections of the configuration in the words of the parts that they set."""

from __future__ import annotations

import msgspec

from labbridge import __version__
from labbridge.config import Config, FeedSection, LimitsSection, ReceiverSection, split_address
from labbridge.config_odbc import ReceiverOdbcSection
from labbridge.delivery.mllp import ReceiverSettings
from labbridge.feeds.limits import Limits
from labbridge.fhir.naming import OURS
from labbridge.fhir.observations import LOCAL
from labbridge.fhir.outgoing import ServerForm
from labbridge.hl7.ordering import OrderForm, message_of
from labbridge.rows.outgoing import TableForm
from labbridge.sources import Words


def receiver_settings(section: ReceiverSection) -> ReceiverSettings:
    """Where a receiver is, and how long to wait for it."""
    host, port = split_address(section.address)
    name = section.tls.server_name if section.tls is not None else ""
    return ReceiverSettings(
        host=host, port=port, timeout_s=section.timeout_s, accept_ca=section.accept_ca, server_name=name
    )


def order_form(config: Config, section: ReceiverSection, feed: FeedSection) -> OrderForm:
    """How a receiver takes orders; its times are written in the zone of the feed, as a comment's are."""
    return OrderForm(
        version=section.version,
        charset=section.charset,
        application=config.application,
        facility=config.facility,
        receiving_application=section.application,
        receiving_facility=section.facility,
        timezone=feed.timezone,
        message=message_of(section.order_message, section.version),
        action=section.order_action,
    )


def server_form(config: Config, section: ReceiverSection, feed: FeedSection, words: Words) -> ServerForm:
    """How a FHIR server takes what we write. The second code of a comment is ours (outgoing.yaml)."""
    comment = (msgspec.structs.replace(one, system=OURS) if one.system == LOCAL else one for one in words.comment)
    return ServerForm(
        base=section.address,
        systems=section.systems,
        application=config.application,
        facility=config.facility,
        mode=section.mode,
        retest=section.retest,
        timezone=feed.timezone,
        comment=tuple(comment),
        software=__version__,
        meanings=words.meanings,
        analytes=words.analytes,
        services=words.services,
    )


def table_form(section: ReceiverOdbcSection, retest: str, feed: FeedSection) -> TableForm:
    """How a table takes comments; its times are written in the zone of the feed."""
    return TableForm(table=section.table, retest=retest, timezone=feed.timezone)


def limits(section: LimitsSection) -> Limits:
    """What the listeners allow their peers."""
    wanted = {name: getattr(section, name) for name in Limits.__struct_fields__ if hasattr(section, name)}
    return msgspec.convert(wanted, Limits)
