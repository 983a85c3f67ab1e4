"""Case files (the schema of clinical.md F) as reports, so that a case goes through the same readers as a message.

Each row of `results` is one order with its observations; what the row leaves out is absent, never filled in.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from labbridge.model.outcome import PostedComment
from labbridge.model.report import EntityId, Identifier, Observation, Order, Patient, Report, Specimen, Timestamp
from labbridge.model.values import Coding, Missing, SentCoding, SentText, SentValue
from labbridge.model.work import Feed

SENDER = "CASE|"
FEED = Feed(name="case", cytoplasmic_reported_as="positive")  # a case's negative is that of C2: no cytoplasm either
_LOCAL = "L"
_OWN_METHODS = "LABBRIDGE"
_CONTEXT = {"suspicion": "SUSPECT_IIM", "statin": "STATIN", "pregnant": "PREGNANT"}


def reports(case: dict[str, Any]) -> Iterator[tuple[Report, datetime]]:
    """The reports of a case with the moment each was received: its context first, then its results in order."""
    patient = _patient(case)
    today = _moment(case["evaluate_at"])
    context = tuple(_context(case.get("context") or {}))
    first = min((_moment(row["received"]) for row in case.get("results") or ()), default=today)
    if context:
        order = Order(at="context", collected=None, observations=context)
        yield _report(case, patient, "context", first, order), first
    for number, row in enumerate(case.get("results") or (), 1):
        received = _moment(row["received"])
        yield _report(case, patient, f"{row['filler']}@{number}", received, _order(row)), received


def posted(case: dict[str, Any], now: datetime) -> tuple[PostedComment, ...]:
    """The comment a case says was posted before: on the day before its evaluation, from every first version."""
    comment_class = (case.get("context") or {}).get("comment_already_posted")
    if not comment_class:
        return ()
    rows = case.get("results") or ()
    first = {row["filler"]: number for number, row in reversed(list(enumerate(rows, 1)))}
    used = tuple(f"{filler}@{number}:{filler}" for filler, number in first.items())
    return (PostedComment(comment_class=str(comment_class), text="", posted=now - timedelta(days=1), used=used),)


def _patient(case: dict[str, Any]) -> Patient:
    stated = case.get("patient") or {}
    age = stated.get("age_years")
    born = stated.get("birth_date")
    return Patient(
        identifiers=(Identifier("CASE", str(case["id"])),),
        age_years=int(age) if age not in (None, "") else None,
        birth_date=date.fromisoformat(str(born)) if born else None,
        sex=str(stated.get("sex") or ""),
    )


def _report(case: dict[str, Any], patient: Patient, name: str, received: datetime, order: Order) -> Report:
    return Report(
        feed=FEED.name,
        sender=SENDER,
        control_id=name,
        lane=f"p:CASE|{case['id']}",
        sent=Timestamp(received.date().isoformat(), received, received.date(), has_time=False),
        patient=patient,
        orders=(order,),
    )


def _order(row: dict[str, Any]) -> Order:
    collected = _moment(row["collected"])
    specimen = str(row.get("specimen") or "")
    return Order(
        at=str(row["filler"]),
        filler=EntityId(str(row["filler"])),
        placer=EntityId(str(row.get("placer") or "")),
        collected=Timestamp(str(row["collected"]), collected, collected.date(), has_time=False),
        reported=Timestamp(
            str(row["received"]), _moment(row["received"]), _moment(row["received"]).date(), has_time=False
        ),
        observations=tuple(_observations(row)),
        specimens=(Specimen(type=(Coding(specimen, specimen),), notes=_texts(row, "specimen_note")),)
        if specimen
        else (),
    )


def _observations(row: dict[str, Any]) -> Iterator[Observation]:
    """One observation; for HEp-2 one each for screen, titre and pattern, as laboratories send them."""
    analyte = str(row["analyte"])
    yield _observation(row, _code(analyte), str(row.get("value") or ""), _texts(row, "note", "reason"))
    if row.get("titre"):
        yield _observation(row, f"{analyte}_TITRE", str(row["titre"]), ())
    if row.get("pattern"):
        yield _observation(row, f"{analyte}_PATTERN", str(row["pattern"]), ())


def _code(analyte: str) -> str:
    """`OTHER_MSA:Jo-1` is the code `OTHER_MSA:JO1`: the antigen's letters and digits."""
    group, colon, antigen = analyte.partition(":")
    return f"{group}:{''.join(char for char in antigen.upper() if char.isalnum())}" if colon else analyte


def _observation(row: dict[str, Any], code: str, value: str, notes: tuple[str, ...]) -> Observation:
    values: tuple[SentValue, ...] = (SentText(value),) if value else ()
    unit = str(row.get("unit") or "")
    manufacturer = str(row.get("manufacturer") or "")
    return Observation(
        at=str(row["filler"]),
        codes=(Coding(code, "", _LOCAL),),
        values=values,
        missing=None if values else Missing.ABSENT,
        unit=Coding(unit, unit) if unit else None,
        reference_range=_range(row),
        status=str(row.get("status") or ""),
        methods=_methods(row),
        equipment=(manufacturer,) if manufacturer else (),
        notes=notes,
    )


def _methods(row: dict[str, Any]) -> tuple[Coding, ...]:
    text, code = str(row.get("method_text") or ""), str(row.get("method") or "")
    return (Coding(code, text, _OWN_METHODS if code else _LOCAL),) if code or text else ()


def _range(row: dict[str, Any]) -> str:
    """The limits as a laboratory would send them: `<20` for a cut-off, `26-170` for a reference interval."""
    if row.get("cutoff") not in (None, ""):
        return f"<{row['cutoff']}"
    low, high = row.get("ref_low"), row.get("ref_high")
    if low in (None, ""):
        return "" if high in (None, "") else f"<={high}"
    return f">={low}" if high in (None, "") else f"{low}-{high}"


def _texts(row: dict[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in names if row.get(name))


def _context(stated: dict[str, Any]) -> Iterator[Observation]:
    for name, code in _CONTEXT.items():
        value = stated.get(name)
        if value is not None:
            word = {True: "Y", False: "N"}.get(value, str(value)) if isinstance(value, bool) else str(value)
            yield _fact(code, SentText(word))
    if stated.get("ivig_last_date"):
        yield _fact("IVIG_DATE", SentText(str(stated["ivig_last_date"])))
    for known in stated.get("known_msa") or ():
        if known.get("confirmed", True):
            yield _fact("KNOWN_MSA", SentCoding((Coding(str(known["analyte"])),)), str(known.get("since") or ""))
            if known.get("partner_tested") is not None:
                yield _fact("KNOWN_MSA_PARTNER", SentText("Y" if known["partner_tested"] else "N"))


def _fact(code: str, value: SentValue, since: str = "") -> Observation:
    observed = Timestamp(since, _moment(since), _moment(since).date(), has_time=False) if since else None
    return Observation(at=code, codes=(Coding(code, "", _LOCAL),), values=(value,), observed=observed)


def _moment(text: object) -> datetime:
    return datetime.combine(date.fromisoformat(str(text)[:10]), time(), UTC)
