"""No patient data in any line, whatever is thrown at the logs (reliability.md S-20)."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from labbridge.observe import logs

MARK = "ZZMUELLER"
names = st.builds(
    lambda before, after: before + MARK + after,
    st.text(max_size=8),
    st.sampled_from(["", "^ANNA", " 19600101", "^^^H^MR", "|F", "\r\nOBX|1", "'", '"', "\x1b[31m", "é"]),
)


def captured(json_lines: bool = True, level: str = "debug") -> io.StringIO:
    out = io.StringIO()
    logs.configure(json=json_lines, level=level, stream=out)
    return out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_carries_what_it_may() -> None:
    out = captured()
    logs.logger("feeds").warning(
        "frame_refused",
        key=17,
        case="C12@3",
        feed="main-lab",
        code="207",
        position="OBX[3]-5",
        reason="oversize",
        bytes=9,
    )
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "frame_refused",
        "level": "warning",
        "part": "feeds",
        "key": 17,
        "case": "C12@3",
        "feed": "main-lab",
        "code": "207",
        "position": "OBX[3]-5",
        "reason": "oversize",
        "bytes": 9,
    }


def test_unlisted_fields_are_dropped_and_counted() -> None:
    out = captured()
    before = logs.dropped["field"]
    logs.logger("feeds").error("refused", patient=MARK, peer="192.0.2.1", key=1)
    assert set(lines(out)[0]) == {"event", "level", "timestamp", "part", "key"}
    assert logs.dropped["field"] == before + 2


@pytest.mark.parametrize("field", sorted(logs.FIELDS - {"level", "timestamp", "event"}))
@given(name=names)
@example(name=MARK + "^ANNA")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_listed_field_takes_no_name(field: str, name: str) -> None:
    if field in ("feed", "receiver", "version", "knowledge", "error", "logger") and logs._SHAPES[field].fullmatch(name):
        return  # names of our own configuration, our own versions and classes: no wire value is ever put there
    out = captured()
    logs.logger("feeds").error("refused", **({"part": name} if field == "part" else {field: name}))
    assert MARK not in out.getvalue()
    assert lines(out)[0][field] == "-"


class Refusal(Exception):
    pass


@given(name=names, json_lines=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_way_in_brings_a_name_out(name: str, json_lines: bool) -> None:
    out = captured(json_lines)
    log = logs.logger("feeds")
    try:
        try:
            raise ValueError(name)
        except ValueError as cause:
            raise Refusal(name, {"patient": name}) from cause
    except Refusal as fault:
        log.error("failed", exc_info=True, detail=name)
        log.error("failed", exc_info=fault, position=name)
        log.exception("failed", stack_info=True, reason=name)
        logging.getLogger("asyncio").exception("Exception in callback %s", name)
        logging.getLogger("library").error(name, exc_info=fault, extra={"patient": name})
        logs.hook_crashes()
        sys.excepthook(Refusal, fault, fault.__traceback__)
    log.info(name, key=name)
    log.bind(patient=name).info("bound", reason=name)
    logging.getLogger("x").debug("%(a)s", {"a": name})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(name, stacklevel=1)
    assert MARK not in out.getvalue()
    assert out.getvalue().count("Refusal") >= 5
    assert len(out.getvalue().splitlines()) == 10


def test_an_exception_is_told_by_type_and_place() -> None:
    out = captured()
    try:
        raise Refusal(MARK)
    except Refusal:
        logs.logger("feeds").exception("failed")
    (line,) = lines(out)
    assert line["error"] == "Refusal"
    assert line["place"].startswith("observe/test_observe_logs.py:")


def test_the_level_holds_for_both_kinds_of_logger() -> None:
    out = captured(level="warning")
    logs.logger("feeds").info("quiet")
    logging.getLogger("library").info("quiet")
    logs.logger("feeds").warning("told")
    logging.getLogger("library").warning("told")
    assert [line["event"] for line in lines(out)] == ["told", "library"]


def test_place_of_what_was_never_raised() -> None:
    assert logs.place(ValueError("x")) == "unknown"


def test_lines_of_warning_and_above_are_counted_by_level_and_event() -> None:
    """Each error that is told can be alerted on; what is no word of ours is no label."""
    captured()
    before = dict(logs.counted)
    log = logs.logger("feeds")
    for _time in range(2):
        log.error("frame_refused", key=1)
    log.warning("certificate_expires")
    log.info("listening")
    log.critical(MARK + "^ANNA", key=1)
    logging.getLogger("library").error("%s", MARK)
    new = {about: count - before.get(about, 0) for about, count in logs.counted.items()}
    assert {about: count for about, count in new.items() if count} == {
        ("error", "frame_refused"): 2,
        ("warning", "certificate_expires"): 1,
        ("critical", "-"): 1,
        ("error", "library"): 1,
    }
