"""What is read of each resource, as it came (R4): a subset of its elements, numbers in the sender's own digits.

A body was held against the whole of its models before (validating.py). Elements that are not listed are left in the raw
message, which is kept.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

UNSENT = Raw(b"")


class _Element(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Coding(_Element, frozen=True, kw_only=True):
    system: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(_Element, frozen=True, kw_only=True):
    coding: tuple[Coding, ...] = ()
    text: str = ""


NO_CONCEPT = CodeableConcept()


class Period(_Element, frozen=True, kw_only=True):
    start: str = ""
    end: str = ""


class Identifier(_Element, frozen=True, kw_only=True):
    use: str = ""
    type: CodeableConcept = NO_CONCEPT
    system: str = ""
    value: str = ""


class Reference(_Element, frozen=True, kw_only=True):
    reference: str = ""
    type: str = ""
    identifier: Identifier | None = None
    display: str = ""


class Quantity(_Element, frozen=True, kw_only=True):
    """`value` is the number as it was written, 12.30 with its two decimals; UNSENT where there is none."""

    value: Raw = UNSENT
    comparator: str = ""
    unit: str = ""
    system: str = ""
    code: str = ""


class Ratio(_Element, frozen=True, kw_only=True):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Range(_Element, frozen=True, kw_only=True):
    low: Quantity | None = None
    high: Quantity | None = None


class Attachment(_Element, frozen=True, kw_only=True):
    content_type: str = ""
    data: str = ""


class Annotation(_Element, frozen=True, kw_only=True):
    text: str = ""


class HumanName(_Element, frozen=True, kw_only=True):
    use: str = ""
    text: str = ""
    family: str = ""
    given: tuple[str | None, ...] = ()


class ReferenceRange(_Element, frozen=True, kw_only=True):
    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept = NO_CONCEPT
    text: str = ""


class Valued(_Element, frozen=True, kw_only=True):
    """What an Observation and its components have in common."""

    code: CodeableConcept = NO_CONCEPT
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: Raw = UNSENT
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_sampled_data: Raw = UNSENT
    value_time: str | None = None
    value_date_time: str | None = None
    value_period: Period | None = None
    data_absent_reason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    reference_range: tuple[ReferenceRange, ...] = ()


class Component(Valued, frozen=True, kw_only=True):
    pass


class Observation(Valued, frozen=True, kw_only=True):
    id: str = ""
    contained: tuple[Raw, ...] = ()
    identifier: tuple[Identifier, ...] = ()
    based_on: tuple[Reference, ...] = ()
    status: str = ""
    subject: Reference | None = None
    effective_date_time: str = ""
    effective_period: Period | None = None
    effective_instant: str = ""
    issued: str = ""
    performer: tuple[Reference, ...] = ()
    note: tuple[Annotation, ...] = ()
    method: CodeableConcept | None = None
    specimen: Reference | None = None
    device: Reference | None = None
    has_member: tuple[Reference, ...] = ()
    component: tuple[Component, ...] = ()


class DiagnosticReport(_Element, frozen=True, kw_only=True):
    id: str = ""
    contained: tuple[Raw, ...] = ()
    identifier: tuple[Identifier, ...] = ()
    based_on: tuple[Reference, ...] = ()
    status: str = ""
    code: CodeableConcept = NO_CONCEPT
    subject: Reference | None = None
    effective_date_time: str = ""
    effective_period: Period | None = None
    issued: str = ""
    performer: tuple[Reference, ...] = ()
    specimen: tuple[Reference, ...] = ()
    result: tuple[Reference, ...] = ()
    conclusion: str = ""


class Patient(_Element, frozen=True, kw_only=True):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    name: tuple[HumanName, ...] = ()
    gender: str = ""
    birth_date: str = ""


class Collection(_Element, frozen=True, kw_only=True):
    collected_date_time: str = ""
    collected_period: Period | None = None
    quantity: Quantity | None = None


class Specimen(_Element, frozen=True, kw_only=True):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    accession_identifier: Identifier | None = None
    type: CodeableConcept = NO_CONCEPT
    subject: Reference | None = None
    received_time: str = ""
    collection: Collection | None = None
    condition: tuple[CodeableConcept, ...] = ()
    note: tuple[Annotation, ...] = ()


class ServiceRequest(_Element, frozen=True, kw_only=True):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    requisition: Identifier | None = None
    subject: Reference | None = None
    reason_code: tuple[CodeableConcept, ...] = ()


class DeviceName(_Element, frozen=True, kw_only=True):
    name: str = ""


class Device(_Element, frozen=True, kw_only=True):
    id: str = ""
    device_name: tuple[DeviceName, ...] = ()
    type: CodeableConcept | None = None


class Organization(_Element, frozen=True, kw_only=True):
    id: str = ""
    name: str = ""


class MedicationStatement(_Element, frozen=True, kw_only=True):
    id: str = ""
    status: str = ""
    subject: Reference | None = None
    medication_codeable_concept: CodeableConcept | None = None


class Condition(_Element, frozen=True, kw_only=True):
    id: str = ""
    verification_status: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    onset_date_time: str = ""
    recorded_date: str = ""


class Source(_Element, frozen=True, kw_only=True):
    name: str = ""
    endpoint: str = ""


class MessageHeader(_Element, frozen=True, kw_only=True):
    id: str = ""
    source: Source = Source()


class Meta(_Element, frozen=True, kw_only=True):
    security: tuple[Coding, ...] = ()
    tag: tuple[Coding, ...] = ()


NO_META = Meta()


class Request(_Element, frozen=True, kw_only=True):
    method: str = ""
    url: str = ""
    if_none_exist: str = ""


class Entry(_Element, frozen=True, kw_only=True):
    full_url: str = ""
    resource: Raw = UNSENT
    request: Request | None = None


class Bundle(_Element, frozen=True, kw_only=True):
    id: str = ""
    meta: Meta = NO_META
    identifier: Identifier | None = None
    type: str = ""
    timestamp: str = ""
    entry: tuple[Entry, ...] = ()


class Head(_Element, frozen=True, kw_only=True):
    """What every resource begins with."""

    resource_type: str = ""
    id: str = ""
    meta: Meta = NO_META


Resource = (
    Observation
    | DiagnosticReport
    | Patient
    | Specimen
    | ServiceRequest
    | Device
    | Organization
    | MedicationStatement
    | Condition
    | MessageHeader
)
READ: dict[str, type[Resource]] = {
    one.__name__: one
    for one in (
        Observation,
        DiagnosticReport,
        Patient,
        Specimen,
        ServiceRequest,
        Device,
        Organization,
        MedicationStatement,
        Condition,
        MessageHeader,
    )
}
"""The resources that are read. Any other one of R4 stays in the message, unread."""

head = msgspec.json.Decoder(Head).decode
bundle = msgspec.json.Decoder(Bundle).decode
_decoders = {name: msgspec.json.Decoder(kind).decode for name, kind in READ.items()}


def read(raw: bytes | Raw) -> tuple[Head, Resource | None]:
    """How a resource begins, and what is read of it: None for one that is not read. msgspec.DecodeError where it cannot
    be."""
    found = head(raw)
    decode = _decoders.get(found.resource_type)
    return found, decode(raw) if decode is not None else None
