"""Sections of the configuration in the words of the parts that they set."""

from __future__ import annotations

import msgspec

from labbridge.config import Config, FeedSection, LimitsSection, ReceiverSection, split_address
from labbridge.delivery.mllp import ReceiverSettings
from labbridge.feeds.limits import Limits
from labbridge.hl7.ordering import OrderForm, message_of


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


def limits(section: LimitsSection) -> Limits:
    """What the listeners allow their peers."""
    wanted = {name: getattr(section, name) for name in Limits.__struct_fields__ if hasattr(section, name)}
    return msgspec.convert(wanted, Limits)
