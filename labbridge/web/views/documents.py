"""Images and documents that a message holds of a patient, on any wire: each with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from labbridge import reading
from labbridge.errors import Refuse
from labbridge.fhir import guard, visible
from labbridge.hl7 import attachments
from labbridge.hl7.attachments import Attachment, Document
from labbridge.model.messages import InForce
from labbridge.model.values import SentAttachment
from labbridge.model.work import Feed
from labbridge.web.views import as_sent

SERIES = "a series of measurements, not a document: it stands in its element"


def documents(message: InForce, feed: Feed, lanes: Collection[str]) -> Iterator[tuple[Attachment, bytes]]:
    """Those of the patient of these lanes. None of bytes that were damaged, or cannot be read."""
    if message.damaged:
        return
    if reading.is_fhir(message.raw, feed):
        yield from _of_body(message, feed, lanes)
        return
    if not reading.is_hl7(message.raw, feed):
        return  # a row holds no documents
    for read, group in as_sent.observations(message.raw, feed.charset, lanes):
        if group.obx.field(2) in attachments.KINDS:
            yield attachments.attachment(read, group.obx)


def _of_body(message: InForce, feed: Feed, lanes: Collection[str]) -> Iterator[tuple[Attachment, bytes]]:
    """The presented forms of reports (DiagnosticReport.presentedForm), and sampled data."""
    try:
        reports = reading.reports_of(message.raw, feed, as_sent.NO_TIME, message.notes)
        body = guard.load(message.raw)
    except Refuse:
        return
    orders = [order for report in reports if report.lane in lanes for order in report.orders]
    for at in dict.fromkeys(order.at for order in orders):
        yield from _presented(body, at)
    for order in orders:
        for one in order.observations:
            if any(isinstance(value, SentAttachment) for value in one.values):
                name = next((coding.display or coding.code for coding in one.codes), "")
                yield Attachment(at=one.at, kind="SampledData", name=name, declared="", reason=SERIES), b""


def _presented(body: dict[str, Any], at: str) -> Iterator[tuple[Attachment, bytes]]:
    forms = (visible.element(body, at) or {}).get("presentedForm") or []
    for number, form in enumerate(forms):
        sent = Document(form.get("contentType", ""), form.get("data", ""))
        yield attachments.document(f"{at}.presentedForm[{number}]", "Attachment", form.get("title", ""), sent)
