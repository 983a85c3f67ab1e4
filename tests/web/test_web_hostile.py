"""What senders and people write is text on every page, whatever it looks like (S-04): the structure of a page that shows it
is that of one which shows harmless words. And it leaves as text (S-03)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile_parts import PAYLOADS, RUNS, structure
from story_parts import BLOT, Lis, obx, order, oru
from test_web_decisions import decide
from web_parts import Bench, Browser, benched

from labbridge.hl7.reader import read
from labbridge.model.people import Role
from labbridge.web import rendering

HARMLESS = tuple(f"harmless words {number}" for number in range(len(PAYLOADS)))
ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\t": "\\X09\\"}
PATHS = (
    "/cases/C{0}", "/cases/C{0}/alike", "/messages/M{1}", "/messages/M{2}", "/messages/M{1}/who", "/worklist?queue=all",
    "/worklist/print?queue=all", "/messages", "/outbox", "/readings", "/people",
)  # fmt: skip


def escaped(text: str) -> str:
    return "".join(ESCAPES.get(char, char) for char in text)


def result(number: int, said: str) -> bytes:
    """A message that says it wherever a laboratory may write freely, with an antibody that makes a case of it."""
    x = escaped(said)
    lines = (
        f"NM|SRPB^{x}^L|1|58|{x}|{x}|A|||F|||20261110091500+0100|{x}^{x}||{x}^{x}^L|{x}^{x}||||{x}^^{x}",
        f"ST|FREE^{x}^L|1|{x}|{x}|{x}|A|||F",
        f"CE|ANAS^{x}^L|1|{x}^{x}^L||{x}|A|||F",
    )
    text = order(f"F{number}", *lines).replace("Myositis", x)
    head = f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ORU^R01^ORU_R01|H{number}|P|2.5.1||||||UNICODE UTF-8"
    patient = f"PID|1||{x}{number}^^^LABA^MR||{x}^{x}||19690417|M|||{x}^{x}^{x}"
    spm = f"SPM|1|{x}&{x}^{x}||SER^{x}^HL70487|||||||P||||{x}|||20261110091500+0100|20261110091500+0100"
    return f"{head}\r{patient}\r{text}\rNTE|1|L|{x}\r{spm}\r".encode()


def unknown(number: int, said: str) -> bytes:
    """A message that names its sender so, and that no page may trust: its structure breaks."""
    x = escaped(said)
    head = f"MSH|^~\\&|{x}|{x}|{x}|{x}|20261113120000+0100||ORU^R01^ORU_R01|{x}|P|2.5.1"
    return f"{head}\rPID|1||{x}{number}^^^LABA^MR||{x}\rOBX|1|ST|{x}^{x}^L|1|{x}\r".encode()


@contextmanager
def filled(url: str, texts: tuple[str, ...]) -> Iterator[tuple[Bench, Browser]]:
    """A laboratory whose senders and people write these, one text a patient."""
    with benched(url) as bench:
        browser = bench.signed_in("anna", Role.SENIOR, Role.SCIENTIST)
        for number, text in enumerate(texts, 1):
            await_all(bench, result(number, text), unknown(number, text))
            key = f"C{number}"
            said = " ".join("".join(char if char.isprintable() else " " for char in text).split())
            decide(browser, "wording", key, text=f"{said} is what it says.", why=said)
            decide(browser, "refer", key, text=said, why=said)
            browser.post("/worklist/note", {"queue": "open", "feed": "", "text": text})
        yield bench, browser


def await_all(bench: Bench, *messages: bytes) -> None:
    import asyncio

    asyncio.run(bench.lab.receive(*messages))
    bench.lab.process()
    bench.clock.forward(minutes=1)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """By path, each case's pages of a laboratory that writes hostile text, after those of one that writes harmlessly."""
    found: dict[str, list[str]] = {path: [] for path in PATHS}
    for name, texts in (("harmless", HARMLESS), ("hostile", PAYLOADS)):
        folder: Path = tmp_path_factory.mktemp(name)
        with filled(f"sqlite:///{folder / 'store.db'}", texts) as (bench, browser):
            admin = bench.signed_in("ada", Role.ADMIN)
            for path in PATHS:
                reader = admin if path == "/people" else browser
                several = range(1, len(PAYLOADS) + 1) if "{" in path else range(1, 2)
                for number in several:
                    answer = reader.get(path.format(number, 2 * number - 1, 2 * number))
                    assert answer.status_code == 200, (path, number, answer.text[:200])
                    found[path].append(answer.text)
    return found


def test_there_are_sixty_of_them() -> None:
    assert len(set(PAYLOADS)) >= 60
    broken = structure(f"<main><p>{PAYLOADS[0]}</p></main>")
    assert broken != structure(f"<main><p>{HARMLESS[0]}</p></main>")


@pytest.mark.parametrize("path", PATHS)
def test_what_is_written_is_text_on_every_page(pages: dict[str, list[str]], path: str) -> None:
    half = len(pages[path]) // 2
    for number, (harmless, hostile) in enumerate(zip(pages[path][:half], pages[path][half:], strict=True)):
        assert structure(hostile) == structure(harmless), f"{path}: {PAYLOADS[number]!r}"
        assert f"={RUNS}>" not in re.sub(r"&\w+;", "", hostile)


def test_it_stands_on_the_pages(pages: dict[str, list[str]]) -> None:
    """Else this would prove nothing."""
    for path in ("/cases/C{0}", "/worklist?queue=all"):
        hostile = pages[path][len(pages[path]) // 2 :]
        assert any("&lt;script&gt;window.pwned" in page for page in hostile), path


async def test_it_leaves_as_text(bench: Bench) -> None:
    """No segment, field or escape comes of it: the receiver reads the very words."""
    browser, lis = bench.signed_in(), Lis()
    hostile = [*PAYLOADS, "a\rOBX|2|ST|X^Y^L||1", "|^~\\&", "\\.br\\", "\\X0D\\", "\x1c\r", "\x0bMSH|", "\u2028x"]
    said = [" ".join("".join(c if c.isprintable() else " " for c in one).split()) for one in hostile]
    for number, text in enumerate(said, 1):
        await bench.lab.take(oru(f"M{number}", order(f"F{number}", obx(BLOT, "58")), patient=f"PT{number}"))
        decide(browser, "wording", f"C{number}", text=f"{text} end", why="a test")
        assert bench.lab.release(f"C{number}@1") > 0
    await bench.lab.deliver(lis)
    assert len(lis.received) == len(said)
    for raw, text in zip(lis.received, said, strict=True):
        message = read(raw)
        names = [segment.name for segment in message.segments]
        assert names.count("OBX") == 1, text
        assert set(names) <= {"MSH", "PID", "PV1", "ORC", "OBR", "OBX", "NTE", "SPM"}, text


def test_no_template_trusts_anything() -> None:
    for path in (rendering.FOLDER / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup|\sstyle=|<script(?![^>]*\bsrc=)|\son[a-z]+=", text), (
            path.name
        )
    for path in rendering.FOLDER.rglob("*.py"):
        assert "Markup(" not in path.read_text(encoding="utf-8"), path.name
