"""How a receiver is told to take orders: what its section says, and what it may not."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from labbridge.config import Config, ConfigError, FeedSection, ReceiverSection
from labbridge.gate import enough
from labbridge.hl7.ordering import OrderForm
from labbridge.knowledge.documents import Source
from labbridge.sections import order_form

VERSIONS = get_args(ReceiverSection.model_fields["version"].annotation)
ROW = "- {analyte: SRP, family: ip, code: SRPIP, source: us}"


def section(**changes: Any) -> ReceiverSection:
    return ReceiverSection(address="127.0.0.1:2600", **changes)


def configured(**changes: Any) -> Config:
    return Config(receivers={"lis": section(**changes), "other": section()})


def test_nothing_is_ordered_until_somebody_says_so() -> None:
    assert (section().retest, section().order_action, section().order_message) == ("advise", "G", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_message_of_a_version_where_none_is_said(version: str) -> None:
    form = order_form(configured(), section(version=version), FeedSection())
    assert form.message == ("ORM" if version == "2.3.1" else "OML")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", ["oml", "orm"])
def test_a_message_that_a_version_has_not_is_refused(version: str, message: str) -> None:
    possible = version < "2.7" if message == "orm" else version >= "2.4"
    if possible:
        form = order_form(configured(), section(version=version, order_message=message), FeedSection())
        assert form.message == message.upper()
    else:
        with pytest.raises(ValueError, match="set order_message"):
            section(version=version, order_message=message)


def test_everything_else_is_as_in_a_comment() -> None:
    config = Config(application="LBX", facility="LABF")
    wanted = section(
        version="2.8", charset="8859/1", application="HIS", facility="HOSP", retest="order", order_action="A"
    )
    assert order_form(config, wanted, FeedSection(timezone="Europe/Paris")) == OrderForm(
        version="2.8", charset="8859/1", application="LBX", facility="LABF", receiving_application="HIS",
        receiving_facility="HOSP", timezone="Europe/Paris", message="OML", action="A",
    )  # fmt: skip


@pytest.mark.parametrize("retest", ["advise", "off"])
def test_without_orders_no_service_is_needed(retest: str) -> None:
    assert enough([], configured(retest=retest)) == []


def test_orders_need_a_service_to_order() -> None:
    texts = [Source("orders.yaml", ROW, site=True)]
    assert enough(texts, configured(retest="order")) is texts
    for empty in ([], [Source("orders.yaml", "# none\n", site=True)], [Source("codes/x.csv", "", site=True)]):
        with pytest.raises(ConfigError, match=r"receivers\.lis\.retest: there is no row in orders\.yaml") as caught:
            enough(empty, configured(retest="order"))
        assert len(str(caught.value).splitlines()) == 1
