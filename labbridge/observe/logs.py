"""Logs without patient data: a fixed list of fields, and exceptions as type and place, never their text.

Every line is an event name and fields of FIELDS. Anything else is dropped and counted: a field is allowed by being
listed here, never by looking harmless. Lines of other libraries keep their logger's name and place, and lose their text.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections import Counter
from collections.abc import MutableMapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, TextIO

import structlog

_SNAKE = r"[a-z][a-z0-9_.-]{0,60}"
_NAME = r"[A-Za-z0-9_.-]{1,60}"
_OWN_KEY = r"[MCD]?\d{1,18}(@\d{1,9})?"

_WORDS = {
    "event": _SNAKE,
    "level": _SNAKE,
    "part": _SNAKE,
    "reason": _SNAKE,
    "state": _SNAKE,
    "logger": r"[A-Za-z0-9_.-]{1,80}",
    "timestamp": r"[0-9TZ:.+-]{10,40}",
    "key": _OWN_KEY,
    "case": _OWN_KEY,
    "delivery": _OWN_KEY,
    "feed": _NAME,
    "receiver": _NAME,
    "code": r"-?[A-Z0-9]{1,8}",
    "position": r"[A-Z][A-Z0-9]{2}(\[\d{1,6}\])?([-^.]\d{1,6}){0,5}",
    "version": r"[A-Za-z0-9_.:+-]{1,80}",
    "knowledge": r"[A-Za-z0-9_.:+-]{1,80}",
    "fingerprint": r"[0-9a-f]{64}",
    "incident": r"[0-9a-f]{12}",
    "error": r"[A-Za-z_][A-Za-z0-9_.]{0,80}",
    "place": r"[A-Za-z0-9_./<> -]{1,120}:\d{1,6}|unknown",
}
_NUMBERS = frozenset({"count", "attempts", "seconds", "bytes", "port"})
_SHAPES = {name: re.compile(shape) for name, shape in _WORDS.items()}

FIELDS = frozenset(_WORDS) | _NUMBERS
"""The allow-list (reliability.md S-20), each field with the only shape it may have. No address, name, identifier,
order number or text."""

dropped: Counter[str] = Counter()
"""How often something was left out of a line: `field` (not listed) or `value` (not of its shape)."""

counted: Counter[tuple[str, str]] = Counter()
"""Lines of warning and above by level and event: each error that is told can be alerted on."""

COUNTED = frozenset({"warning", "error", "critical"})
_Line = MutableMapping[str, Any]


def configure(*, json: bool, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all lines, ours and those of the standard library's loggers, to one stream (standard error)."""
    out = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_listed,
            structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=out.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Routed()]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # below that it tells of each plug-in it loads
    logging.captureWarnings(True)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger of one part of the service. The event is a short name in snake case, told apart by its fields."""
    found: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return found


def only_listed(_logger: object, _method: str, line: _Line) -> _Line:
    """Keep listed fields whose values are plain words or numbers; an exception becomes its type and place."""
    fault = line.pop("exc_info", None)
    if fault:
        line.update(_described(fault))
    for name in [name for name in line if name not in FIELDS]:
        del line[name]
        dropped["field"] += 1
    for name, value in list(line.items()):
        if not _plain(name, value):
            line[name] = "-"
            dropped["value"] += 1
    if line.get("level") in COUNTED:
        counted[line["level"], str(line.get("event", "-"))] += 1
    return line


def _plain(name: str, value: object) -> bool:
    if value is None or name in _NUMBERS:
        return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    return isinstance(value, (str, int)) and bool(_SHAPES[name].fullmatch(str(value)))


def place(fault: BaseException) -> str:
    """Where an exception was raised: file and line of its innermost frame. Its text may hold a value; it is not read."""
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{_file(frames[-1].filename)}:{frames[-1].lineno}" if frames else "unknown"


def _described(fault: object) -> dict[str, str]:
    found = fault if isinstance(fault, BaseException) else sys.exc_info()[1]
    if isinstance(fault, tuple) and len(fault) == 3:
        found = fault[1]
    return {"error": type(found).__name__, "place": place(found)} if isinstance(found, BaseException) else {}


def _file(name: str) -> str:
    return "/".join(PurePath(name).parts[-2:])


class _Routed(logging.Handler):
    """The standard library's loggers: level, logger and place go on; the text, which may quote anything, does not."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "place": f"{_file(record.pathname)}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            fields.update(_described(record.exc_info))
        log = structlog.get_logger()
        getattr(log, _METHODS.get(record.levelno, "info"))("library", **fields)


_METHODS = {logging.DEBUG: "debug", logging.WARNING: "warning", logging.ERROR: "error", logging.CRITICAL: "critical"}


def hook_crashes() -> None:
    """An exception that ends the process is logged like any other, without its text."""

    def crashed(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        logger("service").critical("crashed", error=kind.__name__, place=place(fault.with_traceback(trace)))

    sys.excepthook = crashed
