"""The second reader: which cases are signed by two persons, who the second may be, and what has to be read unseen before
(standards.md 4.3). Raises Refused with a sentence."""

from __future__ import annotations

import hashlib

from labbridge.errors import Refused
from labbridge.model.result import Hep2Class
from labbridge.model.review import Disposition, FirstSignature, Reading, SecondReading
from labbridge.model.work import Case
from labbridge.model.worklist import Listed
from labbridge.review.decisions import LONGEST_WHY
from labbridge.review.policies import check_whole

NOT_READ = "NOT_TESTED"
FINDINGS = (Hep2Class.NEG, Hep2Class.CYTO_COMPAT, Hep2Class.CYTO_OTHER, Hep2Class.NUCLEAR)


def needed(case: Case | Listed) -> bool:
    """Whether two persons sign it: for what was found, or because it is one of the share that the site reads twice. Which
    ones these are nobody can choose: it hangs on the case's number."""
    number = int.from_bytes(hashlib.sha256(f"second reader of C{case.key}".encode()).digest()[:8])
    return case.outcome.second_reader or number % 100 < case.outcome.second_reader_share


def waits(case: Case) -> bool:
    """Whether one person has signed this version and another has not."""
    return case.disposition is Disposition.SECOND_READER


def read_unseen(case: Case) -> bool:
    """Whether HEp-2 is read by the second person before being shown what the first found."""
    return case.outcome.states.HEP2 != NOT_READ


def unseen_by(case: Case, person: str, known: SecondReading) -> bool:
    """Whether this person, who may be the second reader, has still to read HEp-2 of the case unseen."""
    if not (waits(case) and read_unseen(case)):
        return False
    firsts = [one for one in known.firsts if one.version == case.version]
    readings = [one for one in known.readings if one.version == case.version]
    signed_it = person in {one.person for one in firsts}
    return not signed_it and not _disagreeing(readings) and person not in {one.person for one in readings}


def first_of(case: Case, person: str, screen: bytes, known: SecondReading) -> FirstSignature | None:
    """The first signature to which this one is the second; None where it is the first itself, as it is when the words have
    changed since. Refused where this person may not be the second."""
    if not waits(case):
        return None
    firsts = [one for one in known.firsts if one.version == case.version and one.screen == screen]
    if not firsts:
        return None
    if person in {one.person for one in firsts}:
        raise Refused(f"You signed C{case.key} first: another person is its second reader")
    readings = [one for one in known.readings if one.version == case.version]
    disagreeing = _disagreeing(readings)
    if person in {one.person for one in disagreeing}:
        raise Refused(
            "You and the first reader disagree about HEp-2: a third person signs, or the case goes back to the list"
        )
    if unseen_by(case, person, known):
        raise Refused("Read HEp-2 of this case before you sign: your reading is kept, then the case is shown")
    return firsts[-1]


def check_reading(case: Case, reading: Reading, known: SecondReading) -> FirstSignature:
    """The first signature beside which a reading stands. Refused where the case does not wait for one from this person, and
    where it is none of the findings that HEp-2 may have."""
    check_whole(case)
    if case.version != reading.version:
        raise Refused(f"C{case.key} is at version {case.version} now, not {reading.version}: read it again")
    if not unseen_by(case, reading.person, known):
        raise Refused(f"C{case.key} waits for no reading of yours")
    if reading.finding not in FINDINGS:
        raise Refused(f"A reading of HEp-2 is one of {', '.join(FINDINGS)}")
    if len(reading.why) > LONGEST_WHY or not reading.why.isprintable():
        raise Refused(f"A reason has at most {LONGEST_WHY} printable characters")
    return [one for one in known.firsts if one.version == case.version][-1]


def _disagreeing(readings: list[Reading]) -> list[Reading]:
    return [one for one in readings if not one.agrees]
