"""Does a message's patient agree with the stored one (clinical.md C10.36, reliability.md H1)?"""

from __future__ import annotations

import msgspec

from labbridge.model.report import Patient

STATED_SEX = ("F", "M")  # table 0001; U, O, A, N and empty state nothing that could disagree


def disagreement(stored: Patient | None, sent: Patient) -> str:
    """`birth_date` (also: sex and name), `sex`, or empty. A missing birth date or sex never disagrees."""
    if stored is None:
        return ""
    if stored.birth_date and sent.birth_date and stored.birth_date != sent.birth_date:
        return "birth_date"
    if stored.sex in STATED_SEX and sent.sex in STATED_SEX and stored.sex != sent.sex:
        return "birth_date" if _names_differ(stored, sent) else "sex"
    return ""


def _names_differ(stored: Patient, sent: Patient) -> bool:
    return bool(stored.family_name and sent.family_name) and (
        stored.family_name.casefold() != sent.family_name.casefold()
    )


def merged(stored: Patient | None, sent: Patient) -> Patient:
    """The sent patient, with what it leaves out taken from the stored one."""
    if stored is None:
        return sent
    return msgspec.structs.replace(
        sent,
        birth_date=sent.birth_date or stored.birth_date,
        age_years=sent.age_years if sent.age_years is not None else stored.age_years,
        sex=sent.sex if sent.sex in STATED_SEX else stored.sex or sent.sex,
    )
