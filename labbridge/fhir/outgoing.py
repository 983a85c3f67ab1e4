"""The comment on its way to a FHIR R4 server: one Bundle of what there is to write, as it is judged, stored and sent
(standards.md 2.9).

observation  an Observation with the comment as its value
report       a DiagnosticReport with the comment as its conclusion

Beside it a DetectedIssue with what was flagged, a Task for each analyte to be tested again, and the Provenance of the
signature. What is withdrawn by a correction says so in its status; whoever delivers creates nothing of that kind anew.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import msgspec

from labbridge import times
from labbridge.errors import Refused
from labbridge.fhir.naming import OURS, Element, Names
from labbridge.model.outcome import Flag, Priority, Retest, Severity
from labbridge.model.report import Observation, Order, Patient
from labbridge.model.result import Analyte
from labbridge.model.values import Coding

HL7 = "http://terminology.hl7.org/CodeSystem"
WITHDRAWN = {"DetectedIssue": "entered-in-error", "Task": "cancelled"}
SEVERITIES = {Severity.MINOR: "low", Severity.MAJOR: "moderate", Severity.CRITICAL: "high"}
"""detectedissue-severity of ours. What is for information alone is no issue."""
KINDS = {"observation": "Observation", "report": "DiagnosticReport"}
DEVICE = "labbridge"
R4 = "4.0"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class ServerForm(Names, frozen=True, kw_only=True):
    """How one server takes comments. `mode` is observation or report, `retest` advise, order or off; `comment` the code of
    the comment, ours second; `software` the version of this one. `meanings` are those of flags and `analytes` the names of
    analytes by code, `services` what the laboratory calls each test, by analyte and method family."""

    mode: str = "observation"
    retest: str = "advise"
    timezone: str = "UTC"
    comment: tuple[Coding, ...] = ()
    software: str = ""
    meanings: Mapping[str, str] = {}
    analytes: Mapping[str, str] = {}
    services: Mapping[tuple[str, str], Coding] = {}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is written about: the patient as now numbered, and the result with its order. `results`: by ref those of a flag's
    evidence and of the comment, as far as their messages are here."""

    patient: Patient
    order: Order
    result: Observation
    results: Mapping[str, tuple[Order, Observation]] = {}


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Who let it leave (`by_rule`: a row that the laboratory signed), when, under which number, by which knowledge."""

    signer: str
    by_rule: bool = False
    control_id: str
    now: datetime
    knowledge: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One comment: its key (the same in every correction of it), its text, and what it was written from."""

    key: str
    text: str
    correction: bool = False
    flags: Sequence[Flag] = ()
    retests: Sequence[Retest] = ()
    used: Sequence[str] = ()


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """One retest as an order: its placer number, the laboratory's service, why, and from which day. `comment`: the key of
    the comment that it leaves with; `flagged`: a DetectedIssue does too."""

    number: str
    service: Coding
    priority: Priority
    reason: str
    note: str
    comment: str
    flagged: bool = False
    not_before: date | None = None
    new_specimen: bool = False


def comment_bundle(note: Note, about: About, signed: Signed, form: ServerForm) -> bytes:
    """The final bytes of a comment. Refused, with the reason, where they cannot be made."""
    if not note.text.strip():
        raise Refused("The comment is empty; there is nothing to send")
    if _CONTROL.search(note.text):
        raise Refused("The comment holds control characters, which no text of FHIR may")
    if not form.comment:
        raise Refused("No code for the comment is configured")
    return _Writing(about, signed, form).comment(note)


def order_bundle(ordered: Ordered, about: About, signed: Signed, form: ServerForm) -> bytes:
    """The final bytes of an order of a retest, as comment_bundle."""
    return _Writing(about, signed, form).order(ordered)


class _Writing:
    """A Bundle being written."""

    def __init__(self, about: About, signed: Signed, form: ServerForm) -> None:
        self._about, self._signed, self._form = about, signed, form
        self._patient = form.patient(about.patient)
        self._now = times.instant(signed.now.astimezone(times.zone(form.timezone)))
        self._entries: list[Element] = []

    def comment(self, note: Note) -> bytes:
        url = self._kept(
            self._own_report(note) if self._form.mode == "report" else self._own_observation(note), note.key
        )
        signed = [url]
        issue = self._issue(note)
        if issue is not None:
            signed += self._standing(issue, self._kept(issue, note.key))
        for analyte, task in self._tasks(note, url):
            signed += self._standing(task, self._kept(task, f"{note.key}.{analyte}"))
        used = [self._about.results[ref] for ref in note.used if ref in self._about.results]
        self._provenance(signed, "UPDATE" if note.correction else "CREATE", used)
        return self._bundle()

    def order(self, ordered: Ordered) -> bytes:
        resource = self._service_request(ordered)
        key = self._form.search("identifier", ordered.number)
        request = {"method": "POST", "url": "ServiceRequest", "ifNoneExist": key}
        url = self._entry(resource, request, ordered.number)
        self._provenance([url], "CREATE", [(self._about.order, self._about.result)])
        return self._bundle()

    # ---- the Bundle

    def _bundle(self) -> bytes:
        return _encode(
            {
                "resourceType": "Bundle",
                "identifier": {"system": self._form.own, "value": self._signed.control_id},
                "type": "transaction",
                "timestamp": self._now,
                "entry": self._entries,
            }
        )

    def _kept(self, resource: Element, value: str) -> str:
        """An entry of which there is one at the receiver, whatever its version."""
        kind = str(resource["resourceType"])
        url = f"{kind}?{self._form.search('identifier', value)}"
        return self._entry(resource, {"method": "PUT", "url": url}, value)

    def _entry(self, resource: Element, request: Mapping[str, str], value: str) -> str:
        name = f"{self._form.own}|{resource['resourceType']}|{value}"
        url = uuid.uuid5(uuid.NAMESPACE_URL, name).urn
        self._entries.append({"fullUrl": url, "resource": resource, "request": request})
        return url

    def _standing(self, resource: Element, url: str) -> list[str]:
        return [] if resource["status"] == WITHDRAWN[str(resource["resourceType"])] else [url]

    # ---- resources

    def _own_observation(self, note: Note) -> Element:
        derived = self._results([self._about.result, *(one for _order, one in self._used(note))])
        return {
            "resourceType": "Observation",
            "identifier": [self._form.identifier(note.key)],
            **self._listed("basedOn", self._form.order(self._about.order)),
            "status": "corrected" if note.correction else "final",
            "category": [_category("observation-category", "laboratory", "Laboratory")],
            "code": self._form.coded(*self._form.comment),
            "subject": self._patient,
            **self._effective(),
            "issued": self._now,
            **self._listed("performer", self._person()),
            "valueString": note.text,
            **self._one("specimen", self._form.specimen(self._about.order)),
            **({"derivedFrom": derived} if derived else {}),
        }

    def _own_report(self, note: Note) -> Element:
        results = self._results([self._about.result, *(one for _order, one in self._used(note))])
        return {
            "resourceType": "DiagnosticReport",
            "identifier": [self._form.identifier(note.key)],
            **self._listed("basedOn", self._form.order(self._about.order)),
            "status": "corrected" if note.correction else "final",
            "category": [_category("v2-0074", "LAB", "Laboratory")],
            "code": self._form.coded(*self._form.comment),
            "subject": self._patient,
            **self._effective(),
            "issued": self._now,
            **self._listed("resultsInterpreter", self._person()),
            **self._listed("specimen", self._form.specimen(self._about.order)),
            **({"result": results} if results else {}),
            "conclusion": note.text,
        }

    def _issue(self, note: Note) -> Element | None:
        """What was flagged; where a correction flags nothing any more, the word that it is withdrawn."""
        flags = [one for one in note.flags if one.severity in SEVERITIES]
        if not flags and not note.correction:
            return None
        found: Element = {
            "resourceType": "DetectedIssue",
            "contained": [self._device()],
            "identifier": [self._form.identifier(note.key)],
            "status": ("amended" if note.correction else "final") if flags else WITHDRAWN["DetectedIssue"],
            "patient": self._patient,
            "identifiedDateTime": self._now,
            "author": {"reference": f"#{DEVICE}"},
        }
        if not flags:
            return found
        first = max(flags, key=lambda one: list(SEVERITIES).index(one.severity))
        evidence = [self._evidence(one) for one in flags]
        rests = self._evidence_of(ref for one in flags for ref in one.evidence)
        code = {"code": self._flag(first.code)} if len(flags) == 1 else {}
        implicated = {"implicated": rests} if rests else {}
        return {**found, **code, **implicated, "severity": SEVERITIES[first.severity], "evidence": evidence}

    def _evidence_of(self, refs: Iterable[str]) -> list[Element]:
        return self._results([self._about.results[ref][1] for ref in refs if ref in self._about.results])

    def _evidence(self, flag: Flag) -> Element:
        rests = self._evidence_of(flag.evidence)
        return {"code": [self._flag(flag.code)], **({"detail": rests} if rests else {})}

    def _tasks(self, note: Note, comment: str) -> Iterator[tuple[str, Element]]:
        """What is advised to be tested again, by analyte; of a correction also what is advised no more."""
        if self._form.retest != "advise":
            return
        asked: dict[str, list[Retest]] = {}
        for one in note.retests:
            asked.setdefault(one.analyte, []).append(one)
        gone = [one.value for one in Analyte if one.value not in asked] if note.correction else []
        for analyte in (*asked, *gone):
            yield analyte, self._task(f"{note.key}.{analyte}", analyte, asked.get(analyte, []), comment)

    def _task(self, key: str, analyte: str, retests: Sequence[Retest], comment: str) -> Element:
        urgent = any(one.priority is Priority.URGENT for one in retests)
        found: Element = {
            "resourceType": "Task",
            "identifier": [self._form.identifier(key)],
            **self._listed("basedOn", self._form.order(self._about.order)),
            "status": "requested" if retests else WITHDRAWN["Task"],
            "intent": "proposal",
            "priority": "urgent" if urgent else "routine",
            "code": self._form.coded(Coding(analyte, self._form.analytes.get(analyte, ""), OURS)),
            "focus": {"reference": comment},
            "for": self._patient,
            "authoredOn": self._now,
            "requester": self._signer(),
        }
        if retests:
            found["reasonCode"] = self._flag(retests[0].reason)
            days = [one.not_before for one in retests if one.not_before is not None]
            if days:
                found["restriction"] = {"period": {"start": max(days).isoformat()}}
            families = dict.fromkeys(family for one in retests for family in one.families)
            found["input"] = [self._input(analyte, family) for family in families]
        return found

    def _input(self, analyte: str, family: str) -> Element:
        service = self._form.services.get((analyte, family))
        codings = (*((service,) if service is not None else ()), Coding(family, "", OURS))
        return {"type": {"text": "method"}, "valueCodeableConcept": self._form.coded(*codings)}

    def _service_request(self, ordered: Ordered) -> Element:
        result, specimen = self._form.result(self._about.result), self._form.specimen(self._about.order)
        day = {"occurrencePeriod": {"start": ordered.not_before.isoformat()}} if ordered.not_before else {}
        beside = (*(("DetectedIssue",) if ordered.flagged else ()), KINDS[self._form.mode])
        placer = {"coding": [_coding("v2-0203", "PLAC", "Placer Identifier")]}
        return {
            "resourceType": "ServiceRequest",
            "identifier": [{"type": placer, **self._form.identifier(ordered.number)}],
            **self._listed("basedOn", self._form.order(self._about.order)),
            "status": "active",
            "intent": "reflex-order",
            "priority": "urgent" if ordered.priority is Priority.URGENT else "routine",
            "code": self._form.coded(ordered.service),
            "subject": self._patient,
            **day,
            "authoredOn": self._now,
            "requester": self._signer(),
            "reasonCode": [self._flag(ordered.reason)],
            **self._listed("reasonReference", result),
            "supportingInfo": [{"type": kind, "identifier": self._form.identifier(ordered.comment)} for kind in beside],
            **({} if ordered.new_specimen else self._listed("specimen", specimen)),
            "note": [{"text": ordered.note}],
        }

    def _provenance(self, targets: Sequence[str], activity: str, used: Sequence[tuple[Order, Observation]]) -> None:
        """One for each act: who signed, and what put it together. It has no identifier in R4: the act's number is a tag."""
        sources: dict[bytes, Element] = {}
        for order, result in used or [(self._about.order, self._about.result)]:
            what = self._form.result(result) or self._form.report(order)
            if what is not None:
                sources.setdefault(_encode(what), {"role": "source", "what": what})
        number = self._signed.control_id
        found: Element = {
            "resourceType": "Provenance",
            "meta": {"tag": [{"system": self._form.own, "code": number}]},
            "contained": [self._device()],
            "target": [{"reference": one} for one in targets],
            "recorded": self._now,
            "activity": {"coding": [_coding("v3-DataOperation", activity, activity.lower())]},
            "agent": [
                self._agent("assembler", "Assembler", {"reference": f"#{DEVICE}"}),
                self._agent("verifier", "Verifier", self._signer()),
            ],
            **({"entity": list(sources.values())} if sources else {}),
        }
        request = {"method": "POST", "url": "Provenance", "ifNoneExist": self._form.search("_tag", number)}
        self._entry(found, request, number)

    def _agent(self, code: str, display: str, who: Element) -> Element:
        return {"type": {"coding": [_coding("provenance-participant-type", code, display)]}, "who": who}

    def _device(self) -> Element:
        """What wrote it: this software and its knowledge, each by its version."""
        versions: list[Element] = [{"type": {"text": "software"}, "value": self._form.software}]
        if self._signed.knowledge:
            versions.append({"type": {"text": "knowledge"}, "value": self._signed.knowledge})
        name = {"name": self._form.application, "type": "user-friendly-name"}
        return {"resourceType": "Device", "id": DEVICE, "status": "active", "deviceName": [name], "version": versions}

    # ---- elements

    def _signer(self) -> Element:
        if self._signed.by_rule:
            return {"type": "Device", "display": f"{self._form.application}, {self._signed.signer}"}
        return {"type": "Practitioner", "display": self._signed.signer}

    def _person(self) -> Element | None:
        """Where no row of a table can stand."""
        return None if self._signed.by_rule else self._signer()

    def _flag(self, code: str) -> Element:
        return self._form.coded(Coding(code, self._form.meanings.get(code, ""), OURS))

    def _used(self, note: Note) -> list[tuple[Order, Observation]]:
        return [self._about.results[ref] for ref in note.used if ref in self._about.results]

    def _results(self, results: Sequence[Observation]) -> list[Element]:
        found = (self._form.result(one) for one in results)
        return list({_encode(one): one for one in found if one is not None}.values())

    def _effective(self) -> Element:
        """When the specimen was taken; nothing where that was not sent."""
        taken = self._about.order.collected or self._about.result.observed
        return {"effectiveDateTime": times.as_date_time(taken)} if taken is not None else {}

    def _listed(self, name: str, element: Element | None) -> Element:
        return {} if element is None else {name: [element]}

    def _one(self, name: str, element: Element | None) -> Element:
        return {} if element is None else {name: element}


def _category(system: str, code: str, display: str) -> Element:
    return {"coding": [_coding(system, code, display)]}


def _coding(system: str, code: str, display: str) -> Element:
    return {"system": f"{HL7}/{system}", "code": code, "display": display}


_encode = msgspec.json.Encoder(decimal_format="number").encode
