"""What a command found out beside the service, told to it: a backup that was made, an audit that was gone over, the drift of
assays. The service keeps it for the metrics; where none runs nothing is kept, and the metric says the older moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labbridge.errors import Refused
from labbridge.ports import Clock
from labbridge.store.marks import StoreMarks

BACKUP, AUDIT, DRIFT = "backup", "audit", "drift"
MOST_ALARMS, LONGEST_NAME = 2000, 80


class Telling:
    """The key says what is told."""

    def __init__(self, marks: StoreMarks, clock: Clock) -> None:
        self._marks, self._clock = marks, clock

    def perform(self, key: str, request: Mapping[str, Any]) -> str:
        """Of the audit: {"faults"}. Of drift: {"alarms"}, each analyte, antigen, method, statistic and whether."""
        told: dict[str, Callable[[Mapping[str, Any]], None]] = {
            BACKUP: self._backed_up,
            AUDIT: self._verified,
            DRIFT: self._drifted,
        }
        if key not in told:
            raise Refused("This service does not know what it is told; is it older than the command line?")
        told[key](request)
        return key

    def _backed_up(self, _request: Mapping[str, Any]) -> None:
        self._marks.backed_up(self._clock.now())

    def _verified(self, request: Mapping[str, Any]) -> None:
        self._marks.verified(max(0, int(request["faults"])), self._clock.now())

    def _drifted(self, request: Mapping[str, Any]) -> None:
        alarms = {tuple(map(str, about)): bool(alarm) for *about, alarm in request["alarms"]}
        if len(alarms) > MOST_ALARMS or any(len(word) > LONGEST_NAME for about in alarms for word in about):
            raise Refused(f"At most {MOST_ALARMS} series are kept, with names of {LONGEST_NAME} characters")
        self._marks.drifted(alarms)


def tell(config: Any, what: str, **about: Any) -> bool:
    """Tell the running service; whether there is one, and it took it."""
    from labbridge.control import ask

    answer = ask(config.store.beside, {"command": "tell", "keys": [what], "as": "", **about})
    return bool(answer and answer.get("ok"))
