"""The checks of the way out: what was signed is there once, whole, in order and in time, and nothing else is."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from tests.faults.evidence import Evidence, Row
from tests.faults.journal import Event

Found = Iterator[str]
NO_CASE = 0
LATE_S = 5.0  # a comment claimed just before a newer version was written may still be on its way


def _arrivals(seen: Evidence) -> list[Event]:
    return [one for one in seen.lis if one["ev"] == "arrival"]


def not_delivered(seen: Evidence) -> Found:
    """C6: signed, and neither at the LIS nor called back, by a newer version or because its time was over; or signed, and
    not even in the outbox."""
    applied = {one["id"] for one in _arrivals(seen) if one["applied"]}
    newest = {row["id"]: row["version"] for row in seen.cases}
    keys = {f"D{row['id']}" for row in seen.outbox}
    for row in seen.outbox:
        newer = row["state"] == "cancelled" and newest.get(row["case"], 0) > row["version"]
        if not newer and not _expired(row) and row["control_id"] not in applied and row["state"] != "failed":
            yield f"D{row['id']} is {row['state']}"
    for event in seen.signer:
        if event["ev"] == "signed":
            yield from (one["key"] for one in event["done"] if one["ok"] and one["result"] not in keys)


def _expired(row: Row) -> bool:
    """Called back because it could not leave in time, by the service's own clock."""
    return row["state"] == "cancelled" and "" < row["expires"] <= row["updated"]


def comment_missing(seen: Evidence) -> Found:
    """C6e: the model of which comment must exist: a patient whose last accepted blot is strong has a case whose text names
    the antibody."""
    last: dict[str, Event] = {}
    accepted, text = seen.accepted, seen.current
    for event in seen.sends:
        newest = event["pseq"] >= last.get(event["pat"], event)["pseq"]
        if newest and event["kind"] == "serology" and event["id"] in accepted:
            last[event["pat"]] = event
    for patient, event in last.items():
        if float(event["value"]) >= 50 and "SRP" not in text.get(f"p:LABA|{patient}", ""):
            yield f"{patient} after {event['id']}"


def two_ids(seen: Evidence) -> Found:
    """C6b: one case version under two control ids: the LIS cannot tell that they are one. Not where the first was given back
    to a person because its time was over."""
    found: dict[tuple[int, int, str], set[str]] = defaultdict(set)
    for row in seen.outbox:
        if row["case"] != NO_CASE and not _expired(row):
            found[row["case"], row["version"], row["receiver"]].add(row["control_id"])
    yield from (f"C{key[0]}@{key[1]}" for key, ids in found.items() if len(ids) > 1)


def other_bytes(seen: Evidence) -> Found:
    """C6c: an attempt did not carry the bytes that were signed."""
    signed = {row["control_id"]: hashlib.sha256(row["raw"]).hexdigest() for row in seen.outbox}
    yield from (one["id"] for one in _arrivals(seen) if one["id"] in signed and one["sha"] != signed[one["id"]])


def after_acceptance(seen: Evidence) -> Found:
    """C6d: sent again after an acceptance that nothing kept from arriving."""
    excuses = sorted(
        one["t"] for one in [*seen.nemesis, *seen.faults] if one["ev"] in ("kill", "freeze", "thaw", "fault", "stop")
    )
    accepted: dict[str, float] = {}
    for one in _arrivals(seen):
        before = accepted.get(one["id"])
        if before is not None and not any(before - 2 <= moment <= one["t"] for moment in excuses):
            yield one["id"]
        if one["trusted"]:
            accepted[one["id"]] = one["t"]


def false_success(seen: Evidence) -> Found:
    """C6f: marked acknowledged, and the LIS never said so of this message in a form that may be trusted."""
    trusted = {one["id"] for one in _arrivals(seen) if one["trusted"]}
    for row in seen.outbox:
        if row["state"] == "acknowledged" and row["control_id"] not in trusted:
            yield f"D{row['id']}"


def line_used_again(seen: Evidence) -> Found:
    """C6g: sent on a connection on which the one before had no answer to be trusted: a late one would be credited to it."""
    before: dict[int, Event] = {}
    for one in _arrivals(seen):
        last = before.get(one["connection"])
        if last is not None and last["applied"] and not last["trusted"]:
            yield f"{one['id']} after {last['mode']}"
        before[one["connection"]] = one


def order_out(seen: Evidence) -> Found:
    """C7: the comments of one lane reached the LIS in another order than they were signed in."""
    place = {row["control_id"]: (row["lane"], row["id"]) for row in seen.outbox}
    last: dict[str, int] = {}
    for one in dict.fromkeys(event["id"] for event in _arrivals(seen) if event["applied"]):
        lane, key = place.get(one, ("", 0))
        if key < last.get(lane, 0):
            yield f"D{key}"
        last[lane] = max(key, last.get(lane, 0))


def out_of_date(seen: Evidence) -> Found:
    """C8: a comment reached the LIS after one of a newer version of its case, or after a newer version was written."""
    place = {row["control_id"]: row for row in seen.outbox}
    written = {(row["case"], row["version"]): datetime.fromisoformat(row["created"]).timestamp() for row in seen.drafts}
    newest: dict[int, int] = {}
    frozen = any(one["ev"] == "freeze" for one in seen.nemesis)
    for one in _arrivals(seen):
        row = place.get(one["id"])
        if row is None or row["case"] == NO_CASE:
            continue
        case, version = row["case"], row["version"]
        if version < newest.get(case, 0):
            yield f"C{case}@{version} after @{newest[case]}"
        newer = written.get((case, version + 1), float("inf"))
        if not frozen and one["wall"] > newer + LATE_S:
            yield f"C{case}@{version} left {one['wall'] - newer:.0f} s after @{version + 1} was written"
        newest[case] = max(version, newest.get(case, 0))


def not_asked_for(seen: Evidence) -> Found:
    """C9: at the LIS and not in the outbox, or in the outbox without a person's signature."""
    ids = {row["control_id"] for row in seen.outbox}
    signed = {row["detail"] for row in seen.audit if row["action"] == "released" and row["actor"] != "labbridge"}
    yield from (one["id"] for one in _arrivals(seen) if one["id"] not in ids)
    yield from (f"D{row['id']}" for row in seen.outbox if row["case"] != NO_CASE and row["control_id"] not in signed)


CHECKS = {
    "C6": not_delivered,
    "C6b": two_ids,
    "C6c": other_bytes,
    "C6d": after_acceptance,
    "C6e": comment_missing,
    "C6f": false_success,
    "C6g": line_used_again,
    "C7": order_out,
    "C8": out_of_date,
    "C9": not_asked_for,
}
