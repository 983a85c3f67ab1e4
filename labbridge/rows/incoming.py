"""A row of a laboratory's table as a report: each value where its column is said to belong, exactly as it was read.

One row is one report of one order; where the feed says which rows belong together, all of those are. Columns of `parts` are
each a result under a local code of their own, so that a wide table (a column for each test) and what belongs together
(titre and pattern of HEp-2) are read as one order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from labbridge import times
from labbridge.errors import Refuse
from labbridge.model.lanes import lane, lane_of
from labbridge.model.report import EntityId, Identifier, Observation, Order, Patient, PlacedNote, Report, Specimen
from labbridge.model.report import Timestamp as Time
from labbridge.model.values import Coding, Missing, SentText
from labbridge.model.work import Feed
from labbridge.notes import note
from labbridge.rows import body, cells

LOCAL = "L"
ROW = "ROW"
LONGEST_KEY = 150  # characters of a control id
MEANINGS = {
    "patient_id": "the patient's number; without it results are kept under their specimen",
    "patient_authority": "who gave the number, where the view tells; else the facility of `sender`",
    "patient_id_type": "type of the number (HL7 table 0203: MR, PI)",
    "family_name": "family name, compared with what is held and never logged",
    "given_name": "given name, likewise",
    "birth_date": "birth date",
    "sex": "sex (HL7 table 0001)",
    "filler_order": "the laboratory's order number; without it the row's key is the order's",
    "filler_namespace": "whose number that is, where the view tells; else the application of `sender`",
    "placer_order": "the requester's order number",
    "placer_namespace": "whose number that is",
    "service_code": "code of what was ordered; without it, and without its name, the first test of the report",
    "service_name": "its name",
    "specimen": "number of the specimen",
    "specimen_type": "what it is (serum, CSF)",
    "collected": "when the specimen was taken",
    "received": "when it came to the laboratory",
    "reported": "when the result was reported",
    "order_status": "status of the order (HL7 table 0123)",
    "code": "local code of the test",
    "code_name": "its name",
    "code_system": "whose code it is; without it the laboratory's own (L)",
    "sub_id": "what tells results of one code apart (OBX-4)",
    "value": "the result",
    "unit": "its unit",
    "reference_range": "reference range, as text",
    "flag": "abnormal flag",
    "status": "status of the result (HL7 table 0085); empty: as `empty_status` says",
    "method": "code of the method",
    "method_name": "its name",
    "equipment": "instrument or kit",
    "lot": "lot of the reagent",
    "dilution": "dilution it was measured in",
    "analysed": "when it was measured",
    "laboratory": "the laboratory that measured it",
    "note": "remark",
}
"""What a column may be, and what that means: the names of `[feeds.NAME.odbc] columns`."""
OF_THE_ORDER = (
    "patient_id", "patient_authority", "patient_id_type", "family_name", "given_name", "birth_date", "sex",
    "filler_order", "filler_namespace", "placer_order", "placer_namespace", "specimen", "specimen_type", "collected",
)  # fmt: skip


def read_reports(raw: bytes, feed: Feed) -> list[Report]:
    """The report of kept rows: one. Refuse as receiving them would."""
    return [Reading(raw, feed).report()]


class Reading:
    """One body being read: its first row tells patient and order, each row its results. Refuse, with the place of the
    column, for a row without a key or without a test, with a column missing that the configuration names, or with what is
    no text."""

    def __init__(self, raw: bytes, feed: Feed) -> None:
        self._feed = feed
        self._rows = body.decode(raw).rows
        self._zone = times.zone(feed.timezone)
        self._row: Mapping[str, object] = {}
        self._number = 0
        self._take(0)

    def report(self) -> Report:
        self._check_same()
        patient, key = self._patient(), self.key()
        order = self._order(key)
        sender = self._feed.sender or f"{self._feed.name}|"
        return Report(
            feed=self._feed.name,
            sender=sender,
            control_id=key,
            message_type=ROW,
            sent=order.reported,
            lane=lane_of(patient.identifiers) if patient.identifiers else _unnamed(order, sender),
            patient=patient,
            orders=(order,),
            notes=() if patient.identifiers else (self._unnamed_note(),),
        )

    def _take(self, number: int) -> None:
        self._row, self._number = self._rows[number], number

    def _check_same(self) -> None:
        """Rows of one report are of one patient and one order: whose results they are cannot be told else."""
        for meaning in OF_THE_ORDER:
            column = self._feed.columns.get(meaning)
            if column is None:
                continue
            for number in range(1, len(self._rows)):
                if self._rows[number].get(column) != self._rows[0].get(column):
                    text = "Rows that are read together are of different patients or orders"
                    raise Refuse(text, code="204", location=body.at(number, column))

    def key(self) -> str:
        """The values of the key columns. Where one of them is empty, which row this is cannot be told."""
        found = []
        for column in self._feed.key:
            value = self._cell(column)
            if not value:
                raise Refuse("A column of the key is empty", code="101", location=self._place(column))
            found.append(value)
        return "|".join(found)

    def _unnamed_note(self) -> PlacedNote:
        return note("N019", self._place(self._feed.columns.get("patient_id", "")))

    # ---- patient and order

    def _patient(self) -> Patient:
        application, _bar, facility = self._feed.sender.partition("|")
        number = self._text("patient_id")
        authority = self._text("patient_authority") or facility or application or self._feed.name
        return Patient(
            identifiers=(Identifier(authority, number, self._text("patient_id_type")),) if number else (),
            family_name=self._text("family_name"),
            given_name=self._text("given_name"),
            birth_date=times.birth_date(self._text("birth_date")),
            sex=self._text("sex"),
        )

    def _order(self, key: str) -> Order:
        application = self._feed.sender.partition("|")[0]
        own = self._text("filler_namespace") or application or self._feed.name
        filler = self._text("filler_order")
        asked = Coding(self._text("service_code"), self._text("service_name"), LOCAL)
        order = Order(
            at=body.at(0),
            filler=EntityId(filler, own) if filler else EntityId(key, f"{self._feed.name}/row"),
            placer=_entity(self._text("placer_order"), self._text("placer_namespace")),
            service=(asked,) if asked.code or asked.display else (),
            collected=self._time("collected"),
            received=self._time("received"),
            reported=self._time("reported"),
            status=self._text("order_status"),
            specimens=self._specimens(own),
        )
        results = tuple(self._observations())
        service = order.service or (results[0].codes if results else ())
        return msgspec.structs.replace(order, observations=results, service=service)

    def _specimens(self, own: str) -> tuple[Specimen, ...]:
        number, kind = self._text("specimen"), self._text("specimen_type")
        if not number and not kind:
            return ()
        type = (Coding(kind, kind, LOCAL),) if kind else ()
        return (Specimen(filler=_entity(number, own), type=type, collected=self._time("collected")),)

    # ---- results

    def _observations(self) -> Iterator[Observation]:
        for number in range(len(self._rows)):
            self._take(number)
            if "code" in self._feed.columns:
                yield self._result()
            for column, code in self._feed.parts.items():
                value = self._cell(column)
                if value or "code" not in self._feed.columns:
                    yield self._observation(self._place(column), Coding(code, "", LOCAL), value)

    def _result(self) -> Observation:
        code, name = self._text("code"), self._text("code_name")
        if not code and not name:
            column = self._feed.columns["code"]
            raise Refuse("The row names no test", code="101", location=self._place(column))
        system = self._text("code_system") or LOCAL
        found = self._observation(body.at(self._number), Coding(code, name, system), self._text("value"))
        unit, text = self._text("unit"), self._text("note")
        method = Coding(self._text("method"), self._text("method_name"), LOCAL)
        return msgspec.structs.replace(
            found,
            unit=Coding(unit, unit) if unit else None,
            reference_range=self._text("reference_range"),
            flags=(Coding(flag),) if (flag := self._text("flag")) else (),
            methods=(method,) if method.code or method.display else (),
            notes=(text,) if text else (),
            lots=(lot,) if (lot := self._text("lot")) else (),
            dilution=self._text("dilution"),
        )

    def _observation(self, at: str, code: Coding, value: str) -> Observation:
        equipment = self._text("equipment")
        return Observation(
            at=at,
            codes=(code,),
            sub_id=self._text("sub_id"),
            value_type="ST",
            values=(SentText(value),) if value else (),
            missing=None if value else Missing.ABSENT,
            status=self._text("status"),
            equipment=(equipment,) if equipment else (),
            observed=self._time("collected"),
            analysed=self._time("analysed"),
            laboratory=self._text("laboratory"),
        )

    # ---- cells

    def _text(self, meaning: str) -> str:
        """What the column of a meaning holds; empty where the configuration names none."""
        column = self._feed.columns.get(meaning)
        return self._cell(column) if column is not None else ""

    def _cell(self, column: str) -> str:
        try:
            return cells.text(self._row[column], self._feed.decimal_mark)
        except KeyError:
            raise Refuse("The row has no such column", code="101", location=self._place(column)) from None
        except cells.NoText as fault:
            raise Refuse(str(fault), code="102", location=self._place(column)) from None

    def _time(self, meaning: str) -> Time | None:
        text = self._text(meaning)
        return times.timestamp(text, self._zone, None) if text else None

    def _place(self, column: str) -> str:
        return body.at(self._number, column)


def _entity(number: str, namespace: str) -> EntityId:
    return EntityId(number, namespace) if number else EntityId()


def _unnamed(order: Order, sender: str) -> str:
    """The lane of a row that names no patient: its specimen's, else its sender's."""
    tube = next((one.filler for one in order.specimens if one.filler), None)
    return lane("s", f"{tube.namespace}|{tube.id}") if tube else lane("f", sender)
