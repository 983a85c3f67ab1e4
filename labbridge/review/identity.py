"""Whose results are these? Two identifiers must agree before anything held of a patient is used (clinical.md C10.36,
reliability.md H1): the number with its authority, and birth date or family name.

A message that states neither is taken at its number only by a feed that is set to (`second_identifier`), or where what is
held states neither too.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from labbridge.model.report import Patient
from labbridge.model.work import HeldPart, StoredHistory, Verdict

STATED_SEX = ("F", "M")  # table 0001; U, O, A, N and empty state nothing that could disagree

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Patient).decode


class Match(StrEnum):
    """How what one message states of a patient compares with another."""

    AGREES = "agrees"
    UNPROVEN = "unproven"  # the number alone: there is nothing else that both state
    SEX = "sex"
    BIRTH_DATE = "birth_date"  # also: sex and name


def stated(patient: Patient) -> str:
    """What a message states of its patient beside the number, as it is kept with its results."""
    sex = patient.sex if patient.sex in STATED_SEX else ""
    name = patient.family_name.casefold()
    return _encode(Patient(family_name=name, birth_date=patient.birth_date, sex=sex)).decode()


def read(text: str) -> Patient:
    """A patient as `stated` keeps it."""
    return _decode(text)


def disagreement(stored: Patient | None, sent: Patient) -> str:
    """`birth_date` (also: sex and name), `sex`, or empty. A missing birth date or sex never disagrees."""
    if stored is None:
        return ""
    if stored.birth_date and sent.birth_date and stored.birth_date != sent.birth_date:
        return Match.BIRTH_DATE
    if stored.sex in STATED_SEX and sent.sex in STATED_SEX and stored.sex != sent.sex:
        return Match.BIRTH_DATE if _names(stored, sent) is False else Match.SEX
    return ""


def match(stored: Patient, sent: Patient) -> Match:
    """Whether a second identifier agrees, contradicts, or is not there to be compared."""
    against = disagreement(stored, sent)
    if against:
        return Match(against)
    if (stored.birth_date is not None and sent.birth_date is not None) or _names(stored, sent):
        return Match.AGREES
    bare = not (stored.birth_date or stored.family_name or sent.birth_date or sent.family_name)
    return Match.AGREES if bare else Match.UNPROVEN


def shares_one(stored: Patient, sent: Patient) -> bool:
    """Birth date or family name is the same in both."""
    dates = stored.birth_date is not None and stored.birth_date == sent.birth_date
    return dates or _names(stored, sent) is True


def _names(one: Patient, other: Patient) -> bool | None:
    """Whether the family names are the same; None where one is not stated."""
    if not one.family_name or not other.family_name:
        return None
    return one.family_name.casefold() == other.family_name.casefold()


class Usable(msgspec.Struct, frozen=True):
    """What of a patient's history a message may be read with, and what stands against the rest: a disagreement that no
    person has decided on (`against`), or parts that the number alone connects (`unproven`)."""

    parts: tuple[HeldPart, ...]
    against: str = ""
    unproven: bool = False


def usable(history: StoredHistory, sent: Patient, lane: str) -> Usable:
    """The parts of a history that are of this patient. A person's word stands over what the messages state."""
    if not history.parts and history.patient is None:  # nothing is held yet: nothing can speak against it
        return Usable(())
    verdicts = history.verdicts
    if verdicts.get((lane, stated(sent))) is Verdict.SAME:
        return Usable(tuple(part for part in history.parts if not _others(part, history)))
    matches = [(part, _match(part, sent, history)) for part in history.parts]
    used = tuple(part for part, found in matches if found is Match.AGREES)
    found_against = [found for _part, found in matches if found in (Match.BIRTH_DATE, Match.SEX)]
    against = _worst((_against_stored(history, sent), *found_against))
    unproven = any(found is Match.UNPROVEN for _part, found in matches)
    return Usable(() if against else used, against, unproven)


def _against_stored(history: StoredHistory, sent: Patient) -> str:
    stored = trusted(history)
    if stored is not None and _decided(history, stored) is Verdict.SAME:
        return ""
    return disagreement(stored, sent)


def _decided(history: StoredHistory, patient: Patient) -> Verdict | None:
    """What was decided of these demographics in any lane of the patient."""
    who = stated(patient)
    found = {history.verdicts.get((lane, who)) for lane in history.lanes}
    return Verdict.OTHER if Verdict.OTHER in found else (Verdict.SAME if Verdict.SAME in found else None)


def trusted(history: StoredHistory) -> Patient | None:
    """The demographics last stated, unless a person has said that they are somebody else's."""
    if history.patient is None or _decided(history, history.patient) is Verdict.OTHER:
        return None
    return history.patient


def _match(part: HeldPart, sent: Patient, history: StoredHistory) -> Match | None:
    """None: a person has said that this part is of somebody else."""
    if _others(part, history):
        return None
    if not part.who or history.verdicts.get((part.lane, part.who)) is Verdict.SAME:
        return Match.AGREES
    return match(read(part.who), sent)


def _others(part: HeldPart, history: StoredHistory) -> bool:
    return history.verdicts.get((part.lane, part.who)) is Verdict.OTHER


def _worst(found: Iterable[str]) -> str:
    stands = [one for one in found if one]
    return Match.BIRTH_DATE if Match.BIRTH_DATE in stands else next(iter(stands), "")


def merged(stored: Patient | None, sent: Patient) -> Patient:
    """The sent patient, with what it leaves out taken from the stored one."""
    if stored is None:
        return sent
    return msgspec.structs.replace(
        sent,
        family_name=sent.family_name or stored.family_name,
        birth_date=sent.birth_date or stored.birth_date,
        age_years=sent.age_years if sent.age_years is not None else stored.age_years,
        sex=sent.sex if sent.sex in STATED_SEX else stored.sex or sent.sex,
    )
