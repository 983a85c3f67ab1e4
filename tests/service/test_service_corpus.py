"""Every file of the corpus over real MLLP: the class of answer that tests/corpus/answers.csv gives for it, decided before
any run; the service survives, and what came is what is counted."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_parts import Service, sample, sender, until

TABLE = Path(__file__).resolve().parent.parent / "corpus" / "answers.csv"
PROBE = sample("02-srp-hep2-negative/1a-ck.hl7")


def rows() -> Iterator[dict[str, str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))


def content(path: Path) -> bytes:
    """The file as it goes into a block: frame marks at its ends are the framer's."""
    return path.read_bytes().strip(b"\x0b\x1c")


def answered(service: Service, raw: bytes) -> list[str]:
    """MSA-1 of every acknowledgement a block gets, before the answer to a probe sent after it on the same connection."""
    with sender(service) as line:
        line.channel.sendall(b"\x0b" + raw + b"\x1c\r\x0b" + PROBE.replace(b"S2001", b"PROBE") + b"\x1c\r")
        found: list[str] = []
        while (answer := line.raw_answer()) is not None:
            codes = [one.decode() for one in re.findall(rb"\rMSA[^\r]([A-Z]{2})", answer)]
            if b"PROBE" in answer:
                return found
            found += codes
    raise AssertionError("the connection ended before the probe was answered")


def test_the_table_names_every_file_once(corpus: Path) -> None:
    named = [row["file"] for row in rows()]
    assert len(named) == len(set(named))
    there = [str(path.relative_to(corpus / "hl7v2")) for path in (corpus / "hl7v2").rglob("*") if path.is_file()]
    assert sorted(named) == sorted(there)


def test_every_file_gets_the_class_of_answer_decided_for_it(service: Service, corpus: Path) -> None:
    wrong = []
    expected: Counter[str] = Counter()
    for row in rows():
        wanted = [code for code in row["answer"].split() if code != "none"]
        found = answered(service, content(corpus / "hl7v2" / row["file"]))
        expected.update(wanted)
        if found != wanted:
            wrong.append(f"{row['file']}: {' '.join(wanted) or 'none'} decided, {' '.join(found) or 'none'} given")
    assert not wrong, "\n".join(wrong)
    counts = service.settled()
    assert counts["received"] == counts["stored"] + counts["quarantined"] + counts["duplicate"] + counts["oversize"]
    assert expected["AA"] + expected["CA"] > 80
    assert "Traceback" not in service.log()


def test_frames_without_an_msh_are_kept_and_the_third_ends_the_connection(service: Service, corpus: Path) -> None:
    without = [row["file"] for row in rows() if row["why"] == "no MSH"]
    assert len(without) >= 3
    before = service.counts()
    with sender(service) as line:
        for name in without[:3]:
            line.channel.sendall(b"\x0b" + content(corpus / "hl7v2" / name) + b"\x1c\r")
        assert line.raw_answer() is None
    until(lambda: sum(service.counts()[name] for name in ("quarantined", "duplicate")) >= 3 + sum(
        before[name] for name in ("quarantined", "duplicate")))  # fmt: skip


def test_interpret_reads_the_whole_folder_without_a_traceback(service: Service, corpus: Path) -> None:
    files = [str(path) for path in sorted((corpus / "hl7v2").rglob("*")) if path.is_file()]
    done = service.run("interpret", *files, "--format", "json")
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("why", ["message type not taken", "identity: kept", "bytes do not fit the character set"])
def test_the_table_speaks_of_the_pages(why: str) -> None:
    assert any(why in row["why"] for row in rows())


def test_every_parting_of_ways_with_other_parsers_is_on_its_page(corpus: Path) -> None:
    from tests.checks.corpus import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page(corpus)
