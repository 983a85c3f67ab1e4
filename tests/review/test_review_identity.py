"""Does a message's patient agree with the stored one (clinical.md C10.36)?"""

from __future__ import annotations

from datetime import date

import pytest

from labbridge.model.report import Patient
from labbridge.review import identity

BORN = date(1971, 2, 5)


def patient(sex: str = "F", born: date | None = BORN, family: str = "Doe", age: int | None = None) -> Patient:
    return Patient(family_name=family, birth_date=born, sex=sex, age_years=age)


@pytest.mark.parametrize(
    ("stored", "sent", "expected"),
    [
        (None, patient(), ""),
        (patient(), patient(), ""),
        (patient(), patient(born=None), ""),
        (patient(born=None), patient(), ""),
        (patient(), patient(born=date(1972, 2, 5)), "birth_date"),
        (patient(), patient(sex="M"), "sex"),
        (patient(), patient(sex="M", family="Roe"), "birth_date"),
        (patient(), patient(sex="M", family="DOE"), "sex"),
        (patient(), patient(sex="M", family=""), "sex"),
        (patient(), patient(family="Roe"), ""),
        *[(patient(), patient(sex=unstated), "") for unstated in ("", "U", "O", "A", "N")],
        *[(patient(sex=unstated), patient(), "") for unstated in ("", "U", "O", "A", "N")],
    ],
)
def test_only_what_both_state_can_disagree(stored: Patient | None, sent: Patient, expected: str) -> None:
    assert identity.disagreement(stored, sent) == expected


def test_what_a_message_leaves_out_is_taken_from_the_store() -> None:
    merged = identity.merged(patient(sex="F", age=54), Patient(family_name="Doe", sex="U"))
    assert (merged.birth_date, merged.sex, merged.age_years) == (BORN, "F", 54)


def test_what_a_message_states_stands() -> None:
    sent = patient(sex="M", born=date(1980, 1, 1), age=3)
    merged = identity.merged(patient(), sent)
    assert (merged.birth_date, merged.sex, merged.age_years) == (date(1980, 1, 1), "M", 3)


def test_an_unknown_patient_is_the_sent_one() -> None:
    assert identity.merged(None, patient()) == patient()
