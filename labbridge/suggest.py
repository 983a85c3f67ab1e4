"""`labbridge map suggest`: what local codes may be, with the reason and how sure. It proposes; it applies nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import msgspec

from labbridge import reading
from labbridge.config import Config
from labbridge.errors import CaseFileError, Refuse, Refused
from labbridge.feed_settings import feed_of
from labbridge.knowledge.build import Knowledge, version
from labbridge.knowledge.codes import CODE_COLUMNS, ROLES
from labbridge.knowledge.documents import counted
from labbridge.knowledge.terminology import CodeRow
from labbridge.model.mapping import MAPPED, NONE, SURE, UNSURE, Choice, Choices, SentCode, Suggestion, UnitChoice
from labbridge.model.report import Observation
from labbridge.model.result import Analyte
from labbridge.model.values import Coding
from labbridge.model.work import Feed
from labbridge.normalise.identify import Identifier
from labbridge.normalise.methods import Methods
from labbridge.normalise.resemblance import Resembles
from labbridge.normalise.sent import unit_of
from labbridge.sources import KnowledgeError, load, read_all, understood
from labbridge.wires import split_bodies, split_messages

CONTEXT, REFUSED_UNIT = "context", "refuse"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Suggester:
    """Suggestions by one Knowledge."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._terminology = knowledge.terminology
        self._identifier = Identifier(knowledge.terminology)
        self._resembles = Resembles(knowledge.terminology)
        self._methods = Methods(knowledge.terminology)

    def __call__(self, local: SentCode) -> Suggestion:
        codings = (Coding(local.code, local.name, local.system),)
        known = self._identifier.identify(local.sender, codings, local.unit)
        if known.analyte is not None and known.code is not None:
            return self._of(local, known.analyte.id, MAPPED, f"code {local.code} of {known.code.table}", known.code)
        if known.not_ours or known.context is not None:
            what = known.context.value if known.context is not None else "another analyte"
            return Suggestion(code=local, confidence=MAPPED, reason=f"a table names it: {what}")
        like = self._resembles.of(codings, local.unit, local.order)
        if like is None:
            return Suggestion(code=local, reason="its words and unit speak of no analyte of ours")
        reason = "; ".join((*like.reasons, *(["the code is known and contradicted"] if known.note == "N102" else [])))
        sure = like.sure and known.note != "N102"
        return self._of(local, like.analyte, SURE if sure else UNSURE, reason, CodeRow(code="", analyte=like.analyte))

    def _of(self, local: SentCode, analyte: str, confidence: str, reason: str, row: CodeRow) -> Suggestion:
        kind = self._terminology.analytes[analyte].analyte
        observation = Observation(at="", codes=(Coding(local.code, local.name, local.system),))
        method = self._methods.of(observation, row, kind, Feed(name=""))
        unit = self._terminology.units.get((kind.value, local.unit))
        return Suggestion(
            code=local,
            analyte=analyte,
            method=method.code if method else "",
            assay=method.assay if method else "",
            canonical_unit=unit.unit if unit is not None and unit.unit != "refuse" else "",
            confidence=confidence,
            reason=reason,
        )

    def choices(self) -> Choices:
        """What a person can say of a code."""
        known = self._terminology
        units = {(analyte, row.unit, row.factor) for (analyte, _spelling), row in known.units.items()}
        return Choices(
            analytes=tuple(Choice(id=one.id, name=one.name) for one in known.analytes.values()),
            roles=tuple(one for one in ROLES if one != CONTEXT),
            methods=tuple(Choice(id=one.id, name=one.name) for one in known.methods.values()),
            kits=tuple(
                Choice(id=one.id, name=one.name or one.id, analytes=(one.analyte,) if one.analyte else ())
                for one in known.kits.values()
            ),
            units=tuple(
                UnitChoice(analyte=analyte, unit=unit, factor=factor)
                for analyte, unit, factor in sorted(units)
                if analyte in set(Analyte) and unit != REFUSED_UNIT
            ),
        )


class SuggestionsOnDemand:
    """Suggestions by what lies on the disk, understood when they are first asked for and kept until that is another one."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._kept: tuple[str, Suggester] | None = None
        self._turn = Lock()

    def __call__(self) -> Suggester:
        """Refused, with the first fault, where the files cannot be understood."""
        with self._turn:
            try:
                texts = read_all(self._site)
                if self._kept is None or self._kept[0] != version(texts):
                    self._kept = version(texts), Suggester(understood(texts))
            except KnowledgeError as error:
                raise Refused(f"{counted(error.faults)} in the knowledge: {error.faults[0]}") from None
            return self._kept[1]


def suggest_file(path: Path, config: Config) -> list[Suggestion]:
    """Suggestions for the codes of a file: a CSV with a `code` or `name` column (`system`, `unit`, `order`, `sender` if
    there), HL7 v2 messages, a body of FHIR, or kept rows. Each code once. CaseFileError, with the place and the repair,
    where it is none of them."""
    content = path.read_bytes()
    wire = reading.wire_of(content, None)
    if wire == reading.FHIR:
        locals_ = _of_messages([content], Feed(name="file", kind=reading.FHIR))
    elif wire == reading.ROWS:
        rows = next((feed_of(name, one) for name, one in config.feeds.items() if one.kind == wire), None)
        locals_ = _of_messages(split_bodies(content), rows or Feed(name="file", kind=wire))
    elif b"MSH" in content[:2048]:
        locals_ = _of_messages(split_messages(content), Feed(name="file"))
    else:
        locals_ = _of_csv(path, content)
    suggester = Suggester(load(config.knowledge.site))
    return [suggester(one) for one in dict.fromkeys(locals_)]


def _of_csv(path: Path, content: bytes) -> list[SentCode]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise CaseFileError(f"{path}:{line}: this is not UTF-8; save the file as UTF-8") from error
    reader = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    columns = [name for name in SentCode.__struct_fields__ if name in (reader.fieldnames or ())]
    if not {"code", "name"} & set(columns):
        raise CaseFileError(
            f"{path}: there is no column `code` or `name`; give the file a header line with one of them"
        )
    return [SentCode(**{name: (row[name] or "").strip() for name in columns}) for row in reader]


def _of_messages(messages: Iterable[bytes], feed: Feed) -> list[SentCode]:
    found: list[SentCode] = []
    for raw in messages:
        try:
            reports = reading.reports_of(raw, feed, _EPOCH)
        except Refuse:
            continue  # `labbridge interpret` says what is wrong with it
        for report in reports:
            for order in report.orders:
                named = " ".join(coding.display for coding in order.service if coding.display)
                found += [_local(one, named, report.sender) for one in order.observations]
    return found


def _local(observation: Observation, order: str, sender: str) -> SentCode:
    first = observation.codes[0] if observation.codes else Coding("")
    name = " ".join(coding.display for coding in observation.codes if coding.display)
    return SentCode(
        system=first.system, code=first.code, name=name, unit=unit_of(observation), order=order, sender=sender
    )


# ---------------------------------------------------------------- printed


def printed(found: Sequence[Suggestion], format: str) -> str:
    """`json`: one object a line; `csv`: rows for a site's codes/<sender>.csv, in which what a person has to decide is
    left empty, so that they load only once a person has; `text` for people."""
    if format == "json":
        return "\n".join(json.dumps(_json(one), ensure_ascii=False) for one in found)
    return _csv(found) if format == "csv" else _text(found)


def _json(one: Suggestion) -> dict[str, object]:
    return {"code": msgspec.to_builtins(one.code), **{k: v for k, v in msgspec.to_builtins(one).items() if k != "code"}}


def _csv(found: Iterable[Suggestion]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CODE_COLUMNS)
    for one in found:
        if one.confidence in (SURE, UNSURE):
            writer.writerow(_row(one))
    return file.getvalue().rstrip("\n")


def _row(one: Suggestion) -> tuple[str, ...]:
    """A row of codes/*.csv. The role of a HEp-2 line, an unsure analyte and who approved it are left for a person."""
    sent, sure = one.code, one.confidence == SURE
    role = "result" if sure and one.analyte != Analyte.HEP2 else ""
    named = (sent.system, sent.code, sent.name, sent.unit, "")
    return (*named, one.analyte if sure else "", role, one.method, one.assay, "SITE", "")


def _text(found: Sequence[Suggestion]) -> str:
    lines = []
    for one in found:
        sent = one.code
        what = " ".join(filter(None, (f"{sent.system}|{sent.code}", sent.name, f"[{sent.unit}]" if sent.unit else "")))
        method = f" by {one.assay or one.method}" if one.method else ""
        lines.append(f"{one.confidence:7} {one.analyte or '-':16}{what}{method}   ({one.reason})")
    counted = {word: sum(one.confidence == word for one in found) for word in (MAPPED, SURE, UNSURE, NONE)}
    lines.append(", ".join(f"{count} {word}" for word, count in counted.items()) + "; nothing was applied")
    return "\n".join(lines)
