"""What the senders send: synthetic messages of a seed, most of them nothing of ours, some that lead to a comment, and
their corrections."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import dataclass

STRONG, NEGATIVE = "55", "5"
START, END = b"\x0b", b"\x1c\r"

_BEGUN = time.time()  # of the process: a message that is made again has the same bytes

_HEAD = "MSH|^~\\&|{sender}|LABA|LABBRIDGE|LABA|{sent}||ORU^R01^ORU_R01|{id}|P|2.5.1||||||UNICODE UTF-8"
_PID = "PID|1||{patient}^^^LABA^MR||TEST^SYNTHETIC||19690417|M"
_OBR = "OBR|1|P{filler}^MYOCLIN|{filler}^MYOLIS|MYO^Myositis^L|||{collected}"
_SODIUM = "OBX|1|NM|NA^Sodium^L|1|{value}|mmol/L^mmol/L^UCUM|135-145|N|||F"
_CK = "OBX|{n}|NM|2157-6^Creatine kinase^LN|1|{value}|U/L^U/L^UCUM|39-190|H|||F"
_BLOT = "OBX|1|NM|SRPB^Anti-SRP (line blot)^L|1|{value}|intensity^intensity^L|0-5|A|||{status}"
_CLIA = "OBX|2|NM|HMGCRC^Anti-HMGCR IgG (CLIA)^L|1|2|CU^CU^L|<20|N|||F"


@dataclass(frozen=True)
class Message:
    """One message: its control id, its place in its patient's order, what it says, and its bytes. `pseq` -1: it belongs
    to no order (a malformed one)."""

    id: str
    patient: str
    pseq: int
    kind: str
    value: str
    raw: bytes

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def _day(days_ago: float) -> str:
    return time.strftime("%Y%m%d%H%M%S+0000", time.gmtime(_BEGUN - days_ago * 86400))


def _joined(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode()


def _head(control_id: str, sender: str) -> str:
    return _HEAD.format(sender=sender, sent=_day(0), id=control_id)


def plain(control_id: str, patient: str, pseq: int = 0, sender: str = "MYOLIS") -> Message:
    """Sodium: kept, read, and nothing of ours."""
    value = str(136 + pseq % 9)
    order = _OBR.format(filler=f"{patient}N{pseq}", collected=_day(1))
    raw = _joined(
        _head(control_id, sender),
        _PID.format(patient=patient),
        order,
        _SODIUM.format(value=value),
        f"NTE|1||{patient}:{pseq}",
    )
    return Message(control_id, patient, pseq, "plain", value, raw)


def serology(control_id: str, patient: str, pseq: int = 0, value: str = STRONG) -> Message:
    """Anti-SRP by blot beside a negative anti-HMGCR and a high CK: leads to a comment. From `pseq` 1 on the blot comes
    again as a correction of the first, alone."""
    order = _OBR.format(filler=f"{patient}S", collected=_day(1))
    lines = [_BLOT.format(value=value, status="C" if pseq else "F")]
    if not pseq:
        lines += [_CLIA, _CK.format(n=3, value=7800)]
    raw = _joined(_head(control_id, "MYOLIS"), _PID.format(patient=patient), order, *lines, f"NTE|1||{patient}:{pseq}")
    return Message(control_id, patient, pseq, "serology", value, raw)


def malformed(control_id: str, what: int) -> Message:
    """A message that is refused: no OBR, no PID, or characters that do not fit; quarantined whole."""
    good = plain(control_id, "NOBODY").raw
    lines = good.split(b"\r")
    raw = [
        b"\r".join(line for line in lines if not line.startswith(b"OBR")),
        b"\r".join(line for line in lines if not line.startswith(b"PID")),
        good.replace(b"Sodium", b"Sod\xe9ium"),
    ][what % 3]
    return Message(control_id, "", -1, "malformed", "", raw)


class Generator:
    """The endless stream of one sender: the next message of a patient of its own, by a seed."""

    def __init__(self, name: str, seed: int, *, serology_share: float = 0.1, malformed_share: float = 0.01) -> None:
        self._name, self._rng = name, random.Random(f"{seed}-{name}")
        self._serology, self._malformed = serology_share, malformed_share
        self._count = 0

    def control_id(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"

    def next(self, patient: str, pseq: int) -> Message:
        """Whether a patient is one with serology is decided by its first message and holds."""
        if random.Random(f"{self._name}{patient}").random() < self._serology:
            return serology(self.control_id(), patient, pseq, self._rng.choice((STRONG, NEGATIVE)) if pseq else STRONG)
        return plain(self.control_id(), patient, pseq)

    def odd(self) -> Message | None:
        """Now and then one that must be refused."""
        if self._rng.random() < self._malformed:
            return malformed(self.control_id(), self._rng.randrange(3))
        return None
