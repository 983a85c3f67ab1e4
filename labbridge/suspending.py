"""A person stops release by rule, lets it go on, and reads afterwards what a rule released."""

from __future__ import annotations

from typing import Any

from labbridge.errors import Refused
from labbridge.model.release import Suspension
from labbridge.model.result import Analyte
from labbridge.model.work import AuditEvent
from labbridge.ports import Clock
from labbridge.review import policies
from labbridge.store.releases import StoreReleases

SUBJECT = "release by rule"


class Suspending:
    """From the workbench a request carries `person`, the login: that is what is recorded."""

    def __init__(self, store: StoreReleases, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def suspend(self, name: str, request: dict[str, Any]) -> str:
        """{"feed", "analyte", "rule", "why"}; one that is not named is any. The suspension's key."""
        policies.check_signer(name)
        why = policies.check_reason(str(request.get("why", "")))
        feed, analyte, rule = (str(request.get(one, "")) for one in ("feed", "analyte", "rule"))
        if analyte and analyte not in set(Analyte):
            raise Refused(f"There is no analyte {analyte}; there are {', '.join(Analyte)}")
        now, by = self._clock.now(), str(request.get("person", "")) or name
        where = " ".join(f"{what} {one}" for what, one in (("feed", feed), ("analyte", analyte), ("rule", rule)) if one)
        audit = AuditEvent(at=now, actor=by, action="suspended", subject=SUBJECT, detail=f"{where or 'all'}: {why}")
        asked = Suspension(key=0, feed=feed, analyte=analyte, rule=rule.partition("@")[0], why=why, by=by, at=now)
        return f"S{self._store.suspend(asked, audit)}: {where or 'everything'} is released by persons alone"

    def resume(self, keys: list[str], name: str, request: dict[str, Any]) -> str:
        """The keys are those of suspensions (`S3`); none: every one in force."""
        policies.check_signer(name)
        found = [_number(key) for key in keys if key] or [one.key for one in self._store.suspensions()]
        if not found:
            raise Refused("Nothing is suspended")
        by, shown = str(request.get("person", "")) or name, " ".join(f"S{key}" for key in found)
        audit = AuditEvent(at=self._clock.now(), actor=by, action="resumed", subject=SUBJECT, detail=shown)
        self._store.lift(found, audit)
        return f"{shown} lifted"

    def review(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """{"agrees": whether the person would have released it as it is, "why"}. Who would not stops the rule."""
        policies.check_signer(name)
        case, version = policies.parse_shown(shown)
        agrees, now = bool(request.get("agrees")), self._clock.now()
        why = "" if agrees else policies.check_reason(str(request.get("why", "")))
        by = str(request.get("person", "")) or name
        audit = AuditEvent(
            at=now, actor=by, action="reviewed" if agrees else "reviewed, disagrees", subject=shown, detail=why
        )
        rule = self._store.review((case, version), agrees, (by, name, why), audit)
        return f"{shown} agreed with" if agrees else f"{shown} disagreed with: {rule} is suspended"


def _number(key: str) -> int:
    digits = key.removeprefix("S")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise Refused(f"{key!r} is no suspension; write S3, as `labbridge suspend` lists them")
    return int(digits)
