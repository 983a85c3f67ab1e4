"""C1: which version of each result stands, what it says of itself, and what has to wait (clinical.md C1, C10.11-14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

from labbridge.interpret.evidence import Raised
from labbridge.knowledge.policy import Policy
from labbridge.model.report import PlacedNote
from labbridge.model.result import Analyte, Family, Material, Problem, Result, Status
from labbridge.model.values import Missing, Word
from labbridge.notes import note

_WAITED_FOR = (Analyte.SRP, Analyte.HMGCR, Analyte.HEP2, Analyte.CK)  # a preliminary value of them holds (C10.13)
HOLDING = (*_WAITED_FOR, Analyte.OTHER_MSA)
_ANTIBODIES = (Analyte.SRP, Analyte.HMGCR)
_STANDING = (Status.FINAL, Status.CORRECTED)  # a single such version stands as it is
_RANK = {
    Status.PENDING: 0,
    Status.UNKNOWN: 1,
    Status.FINAL: 1,
    Status.CORRECTED: 2,
    Status.CANCELLED: 3,
    Status.WITHDRAWN: 4,
}
_FLAG_OF = {
    Problem.STATUS_UNKNOWN: "STATUS_UNKNOWN",
    Problem.CODE_UNMAPPED: "ASSAY_UNMAPPED",
    Problem.METHOD_UNKNOWN: "ASSAY_UNMAPPED",
    Problem.LIMITS_MISSING: "ASSAY_UNMAPPED",
    Problem.LIMITS_DIFFER: "ASSAY_UNMAPPED",
    Problem.UNIT_UNKNOWN: "UNIT_UNKNOWN",
    Problem.VALUE_UNREADABLE: "VALUE_IMPLAUSIBLE",
    Problem.VALUE_AMBIGUOUS: "VALUE_IMPLAUSIBLE",
    Problem.VALUE_IMPLAUSIBLE: "VALUE_IMPLAUSIBLE",
}


class Settled(msgspec.Struct, frozen=True):
    """What C1 leaves: usable results, results in progress, and what it raised."""

    usable: tuple[Result, ...] = ()
    pending: tuple[Result, ...] = ()
    raised: tuple[Raised, ...] = ()
    notes: tuple[PlacedNote, ...] = ()


def settle(results: Iterable[Result], today: date, decided: frozenset[str], policy: Policy) -> Settled:
    """The standing version of every result, in no particular order. The order in which the versions are given does not
    matter for anything else (P7).

    Solid-phase screens are not HEp-2 (C2): they stand for nothing here, and hold nothing.
    """
    single: dict[str, Result] = {}
    several: dict[str, list[Result]] = {}
    for result in results:
        key = result.key
        if result.method is not None and result.method.family is Family.SOLID_PHASE_ANA:
            continue
        if key in several:
            several[key].append(result)
        elif single.setdefault(key, result) is not result:
            several[key] = [single.pop(key), result]
    plain = [one for one in single.values() if _plain(one)]
    if len(plain) < len(single):
        several |= {one.key: [one] for one in single.values() if not _plain(one)}
    gathering = _Gathering(today, decided, policy.days("pending_expires_d"))
    for key in sorted(several):
        gathering.add(_Versions(several[key]))
    return gathering.settled(plain)


def _plain(version: Result) -> bool:
    """A single final version of a suitable specimen that can be understood stands as it is: most results are that."""
    return (
        version.status in _STANDING
        and not (version.problems or version.quality_poor or version.takes_stored_value)
        and (version.material_validated or version.material is Material.UNSTATED)
        and has_value(version)
    )


class _Gathering:
    """What the standing versions of all results add up to."""

    def __init__(self, today: date, decided: frozenset[str], expires_d: int) -> None:
        self._today, self._decided, self._expires_d = today, decided, expires_d
        self._usable: list[Result] = []
        self._pending: list[Result] = []
        self._raised: list[Raised] = []
        self._notes: list[PlacedNote] = []

    def add(self, versions: _Versions) -> None:
        self._raised += versions.raised
        self._notes += versions.notes
        self._conflict(versions.conflict)
        if versions.pending is not None:
            self._in_progress(versions.pending)
        doubt = self._doubt(versions.doubt)
        if versions.current is not None and not doubt:
            self._standing(versions.current)

    def settled(self, plain: Sequence[Result]) -> Settled:
        return Settled((*plain, *self._usable), tuple(self._pending), tuple(self._raised), tuple(self._notes))

    def _conflict(self, versions: tuple[Result, ...]) -> None:
        """Both are set aside; the hold lasts until a correction, a withdrawal, or a decision on each (C1.2, C10.14)."""
        if versions and not all(one.ref in self._decided for one in versions):
            self._hold("CONFLICTING_DUPLICATE", versions[-1], tuple(one.ref for one in versions))

    def _in_progress(self, version: Result) -> None:
        """Not final and nothing usable before: in progress for 21 days, then a missing test. A value that came early holds
        until it is final, cancelled or decided on, however long that takes (C10.13)."""
        waits = (self._today - version.collected.day).days <= self._expires_d
        if waits:
            self._pending.append(version)
        if has_value(version) and version.analyte in _WAITED_FOR and version.ref not in self._decided:
            self._hold("RESULT_NOT_FINAL", version, (version.ref,), waits=waits)

    def _doubt(self, version: Result | None) -> bool:
        """A version that is not usable came after all others: it holds until a person decides or a usable one comes. What
        holds nothing (a creatinine) is not used meanwhile, unless it is only preliminary."""
        if version is None or version.ref in self._decided:
            return False
        if version.status is Status.PENDING:
            if version.analyte in _WAITED_FOR:
                self._hold("RESULT_NOT_FINAL", version, (version.ref,))
            return version.analyte in _WAITED_FOR
        for code in dict.fromkeys(("STATUS_UNKNOWN", *(_FLAG_OF[one] for one in version.problems))):
            self._hold(code, version, (version.ref,))
        return True

    def _standing(self, result: Result) -> None:
        """A standing version is used if its specimen is suitable (C1.3, C10.11) and it can be understood (C1.5)."""
        if not result.material_validated and result.material is not Material.UNSTATED:
            self._raised.append(_about("SPECIMEN_INVALID", result, (result.ref,), text=result.material_text))
            return
        if result.quality_poor:
            self._raised.append(_about("SPECIMEN_QUALITY", result, (result.ref,)))
        if not result.problems and has_value(result):
            self._usable.append(result)
        elif result.ref not in self._decided:
            # final and empty is neither a negative nor a number
            codes = [_FLAG_OF[problem] for problem in result.problems] or ["VALUE_IMPLAUSIBLE"]
            for code in dict.fromkeys(codes):
                self._hold(code, result, (result.ref,))

    def _hold(self, code: str, about: Result, refs: tuple[str, ...], waits: bool = True) -> None:
        """Creatinine is a companion: what is wrong with it holds nothing (C10.28)."""
        if about.analyte in HOLDING:
            raised = _about(code, about, refs, hold=True)
            self._raised.append(raised if waits else msgspec.structs.replace(raised, waits=False))


class _Versions:
    """The versions of one result, followed in their order (C1.2, C10.12).

    `current` is the usable version that stands; `doubt` an unusable one after it (preliminary with another value, or
    of unknown status); `pending` one in progress with nothing usable before; `conflict` what contradicts each other.
    """

    def __init__(self, versions: list[Result]) -> None:
        self.current: Result | None = None
        self.doubt: Result | None = None
        self.pending: Result | None = None
        self.conflict: tuple[Result, ...] = ()
        self.raised: list[Raised] = []
        self.notes: list[PlacedNote] = []
        self._for_ana: Result | None = None
        last: Result | None = None
        for version in in_order(versions) if len(versions) > 1 else versions:
            if version != last:  # one version may be given twice
                _STEPS[version.status](self, version)
            last = version
        if self._for_ana is not None:
            self._raise("MSA_CANCELLED_ON_ANA", self._for_ana, (self._for_ana.ref,))

    def final(self, sent: Result) -> None:
        version = self._completed(sent)
        if version is None:
            return self.unknown(sent)
        twin = next((one for one in self._usable() if same(one, version)), None)
        if twin is not None:
            self._raise("DUPLICATE_SUPPRESSED", version, (twin.ref, version.ref))
        elif self.conflict:
            self.conflict = (*self.conflict, version)
        elif self.current is None or not has_value(self.current):
            self.current = version
        else:
            self.conflict, self.current = (self.current, version), None
        self._now_known()
        return None

    def corrected(self, sent: Result) -> None:
        version = self._completed(sent)
        if version is None:
            return self.unknown(sent)
        before = self._usable()
        if len(before) == 1 and before[0].status is Status.CORRECTED and same(before[0], version):
            self._raise("DUPLICATE_SUPPRESSED", version, (before[0].ref, version.ref))
        else:
            if before:
                self._raise("RESULT_CORRECTED", version, (*(one.ref for one in before), version.ref))
            self.current, self.conflict = version, ()
        self._now_known()
        return None

    def in_progress(self, version: Result) -> None:
        """After a usable version it is ignored, unless it is later and says something else (C10.12)."""
        self._for_ana = None
        if self.current is None:
            self.pending = version
        elif has_value(version) and not same(self.current, version) and _when(version) > _when(self.current):
            self.doubt = version
        else:
            self.notes.append(note("N301", version.at))

    def unknown(self, version: Result) -> None:
        """It may be a correction or a withdrawal: what stood before does not count until somebody knows (C1.1)."""
        self.doubt = version

    def cancelled(self, version: Result) -> None:
        for_ana = version.cancelled_for_ana and version.analyte in _ANTIBODIES
        first = self._for_ana or (version if for_ana else None)
        self.withdrawn(version)
        self._for_ana = first

    def withdrawn(self, version: Result) -> None:
        before = self._usable()
        if before:
            self._raise("RESULT_WITHDRAWN", version, (*(one.ref for one in before), version.ref))
        self.current, self.conflict = None, ()
        self._now_known()

    def _usable(self) -> tuple[Result, ...]:
        return (self.current,) if self.current is not None else self.conflict

    def _now_known(self) -> None:
        """A known standing ends what was in progress, in doubt, or cancelled before."""
        self.pending = self.doubt = self._for_ana = None

    def _completed(self, version: Result) -> Result | None:
        """A status that finalises the stored value takes it from the line before (OBX-11 U, B, V); None without one."""
        if not version.takes_stored_value:
            return version
        stored = self.doubt or self.current or self.pending
        if stored is None or not has_value(stored):
            return None
        return finalised(stored, version)

    def _raise(self, code: str, about: Result, refs: tuple[str, ...]) -> None:
        self.raised.append(_about(code, about, refs))


_STEPS = {
    Status.FINAL: _Versions.final,
    Status.UNKNOWN: _Versions.unknown,
    Status.CORRECTED: _Versions.corrected,
    Status.PENDING: _Versions.in_progress,
    Status.CANCELLED: _Versions.cancelled,
    Status.WITHDRAWN: _Versions.withdrawn,
}


def in_order(versions: list[Result]) -> list[Result]:
    """By result or status time, then receipt, then pending < final < corrected < cancelled < withdrawn, then value.

    A message sent again counts as received when it first was: it must not outlive a withdrawal of its own time (P8).
    """
    first: dict[tuple[object, ...], datetime] = {}
    for one in versions:
        sent = _sent(one)
        first[sent] = min(one.received, first.get(sent, one.received))

    def place(one: Result) -> tuple[object, ...]:
        return (_when(one), first[_sent(one)], _RANK[one.status], one.value_text, one.ref)

    return sorted(versions, key=place)


def finalised(stored: Result, version: Result) -> Result:
    """The value sent before, under the status of a version that was sent without one (OBX-11 U, B, V)."""
    return msgspec.structs.replace(
        stored,
        ref=version.ref,
        at=version.at,
        status=version.status,
        status_code=version.status_code,
        status_time=version.status_time,
        message_time=version.message_time,
        received=version.received,
        problems=tuple(one for one in stored.problems if one is not Problem.STATUS_UNKNOWN),
    )


def _sent(version: Result) -> tuple[object, ...]:
    """What makes a version the same message sent again: its own times, status and content."""
    times = (version.status_time, version.message_time)
    untimed = version.received if times == (None, None) else None
    return (*times, untimed, version.status, version.takes_stored_value, *_said(version))


def _when(version: Result) -> datetime:
    return version.status_time or version.message_time or version.received


def same(one: Result, other: Result) -> bool:
    """Whether two versions say the same, whatever their times and standing."""
    return _said(one) == _said(other)


def _said(result: Result) -> tuple[object, ...]:
    """What a version says: its value (words by their letters, not by their case), grade and finding. What only the feed's
    configuration says of a finding is no part of it."""
    value = result.value
    said = (value.grade, value.text.strip().casefold()) if isinstance(value, Word) else value
    finding = msgspec.structs.replace(result.hep2, cytoplasm_stated=True) if result.hep2 is not None else None
    return (said, result.grade, finding)


def has_value(result: Result) -> bool:
    """Whether a line says anything: a value, a grade, or a HEp-2 finding."""
    return type(result.value) is not Missing or result.grade is not None or result.hep2 is not None


def _about(code: str, result: Result, refs: tuple[str, ...], hold: bool = False, text: str = "") -> Raised:
    day = result.collected.day
    return Raised(code=code, analyte=result.analyte.value, refs=refs, hold=hold, day=day, text=text)
