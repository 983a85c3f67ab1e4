"""The words of the pages: every sentence a person may read has its French, also those in which something stands."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from jinja2 import nodes
from web_parts import Bench
from worklist_parts import BLOT, Site, obx

from labbridge.model.messages import ACTS
from labbridge.model.outcome import Priority, Severity
from labbridge.model.people import Role
from labbridge.model.review import Decided
from labbridge.model.worklist import QUEUES
from labbridge.notes import NOTES
from labbridge.sources import meanings
from labbridge.states import SENTENCES, CaseState, DeliveryState
from labbridge.web import rendering
from labbridge.web.pages import cases
from labbridge.web.views.identities import MATCHES

PACKAGE = rendering.FOLDER.parent
TEMPLATES = sorted((rendering.FOLDER / "templates").glob("*.html"))
FRENCH = sorted((rendering.FOLDER / "words" / "fr").glob("*.yaml"))
REFUSING = (
    *sorted(rendering.FOLDER.rglob("*.py")),
    *(
        PACKAGE / f"{name}.py"
        for name in (
            "acts",
            "calling",
            "changing",
            "control",
            "deciding",
            "pipeline",
            "previewing",
            "reading",
            "repairing",
        )
    ),
    *(PACKAGE / f"{name}.py" for name in ("knowledge/edits", "site_files", "trying")),
    *(PACKAGE / f"{name}.py" for name in ("answering", "fhir/naming", "fhir/outgoing")),
    *(PACKAGE / f"hl7/{name}.py" for name in ("outgoing", "repair", "standing_in")),
    *(
        PACKAGE / f"review/{name}.py"
        for name in ("alike", "calling", "decisions", "permissions", "policies", "second", "changes", "mapping")
    ),
    *(PACKAGE / f"store/{name}.py" for name in ("calls", "changes", "decisions", "desk", "edits", "people", "second")),
)
NOT_HERE = (
    re.compile(  # what the command line alone is told: acts on patients and stores, and what no form lets through
        r"write (C12|M17|AUTHORITY)|labbridge show` prints|how many days|An edit needs|restore waits|no token|base64"
        r"|--is same|no moment; write|lacks its offset|is not a message|^7 7: 7"
    )
)


def literals(node: nodes.Node, lists: dict[str, set[str]]) -> set[str]:
    """What an argument of `_` may be, as far as the template says it."""
    if isinstance(node, nodes.Const):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, nodes.CondExpr):
        return literals(node.expr1, lists) | (literals(node.expr2, lists) if node.expr2 else set())
    if isinstance(node, nodes.Or):
        return literals(node.left, lists) | literals(node.right, lists)
    if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict):
        return {word for pair in node.node.items for word in literals(pair.value, lists)}
    return lists.get(node.name, set()) if isinstance(node, nodes.Name) else set()


def asked(path: Path) -> set[str]:
    """Every literal that a template gives to `_`."""
    tree = rendering.environment().parse(path.read_text(encoding="utf-8"))
    lists = {
        one.target.name: {item.value for item in one.iter.items if isinstance(item, nodes.Const)}
        for one in tree.find_all(nodes.For)
        if isinstance(one.target, nodes.Name) and isinstance(one.iter, (nodes.Tuple, nodes.List))
    }
    calls = (one for one in tree.find_all(nodes.Call) if isinstance(one.node, nodes.Name) and one.node.name == "_")
    return {word for call in calls for word in literals(call.args[0], lists)}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_word_of_a_template_has_its_french(path: Path) -> None:
    known = rendering.words("fr")
    assert {one for one in asked(path) if not known.get(one)} == set()


def test_the_words_of_the_templates_are_found() -> None:
    found = set().union(*map(asked, TEMPLATES))
    assert len(found) > 150
    assert {"Sign out", "Queues", "status unknown", "As sent", "send failed", "every site", "held by a person"} <= found
    mentioned = sum(len(re.findall(r"\b_\(", path.read_text(encoding="utf-8"))) for path in TEMPLATES)
    assert mentioned > len(found)


def test_every_word_that_a_page_is_given_has_its_french() -> None:
    enumerated: tuple[type[StrEnum], ...] = (CaseState, Severity, Priority, Role, Decided, DeliveryState)
    words = {one.value.replace("_", " ") for kind in enumerated for one in kind}
    words |= {one.title for one in QUEUES} | {one.group for one in QUEUES} | set(meanings().values())
    words |= {*rendering.THEMES, cases.MEANING, *SENTENCES.values(), *NOTES.values(), *ACTS, *MATCHES.values()}
    assert {one for one in words if not rendering.words("fr").get(one)} == set()


# ---------------------------------------------------------------- what is refused


def sentences(path: Path) -> Iterator[str]:
    """What a module says to a person: each refusal, and each text given to a page. A 7 stands for what it puts in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "Refused",
            "_plain",
            "_account",
            "_refused",
            "str",
        ):
            yield from (text for given in node.args[:2] for text in _texts(given) if text)
        elif isinstance(node, (ast.Assign, ast.Dict)) and path.is_relative_to(rendering.FOLDER / "pages"):
            yield from (text for text in _texts(getattr(node, "value", node)) if len(text.split()) > 3)


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, (ast.BoolOp, ast.Dict)):
        yield from (text for one in node.values for text in _texts(one))


SAID = sorted({(one, path.stem) for path in REFUSING for one in sentences(path) if not NOT_HERE.search(one)})


def test_the_sentences_are_found() -> None:
    said = {one for one, _module in SAID}
    assert len(said) > 55
    assert {"There is no such queue", "C7 is at version 7 now, not 7: read it again", "The service refused it"} <= said
    assert "This is not your password: nothing was signed" in said


@pytest.mark.parametrize("said", [one for one, _module in SAID])
def test_whatever_is_refused_is_refused_in_french(said: str) -> None:
    assert rendering.translated("fr", said.strip()) != said.strip()


def test_what_stands_in_a_sentence_stands_in_its_translation() -> None:
    said = rendering.translated("fr", "C12 is at version 3 now, not 2: read it again")
    assert re.findall(r"\d+", said) == ["12", "3", "2"]
    assert "signé" in rendering.translated("fr", "C12 is signed: there is nothing to release")
    assert rendering.translated("fr", "There is no case C9; `labbridge show` lists the cases").count("C9") == 1
    told = rendering.translated("fr", "There is no role {role.__class__} {x}; there are viewer")
    assert told == "Il n'y a pas de rôle {role.__class__} {x} ; il y a lecteur"


def test_a_sentence_without_french_stays_as_it_is() -> None:
    assert rendering.translated("fr", "Nobody translated this 7") == "Nobody translated this 7"
    assert rendering.translated("en", "There is no such queue") == "There is no such queue"


# ---------------------------------------------------------------- the files


def keys() -> list[str]:
    """The keys as they stand in the files, one a line."""
    import yaml

    trees = [yaml.compose(path.read_text(encoding="utf-8")) for path in FRENCH]
    return [key.value for tree in trees for key, _value in tree.value]


def test_no_word_is_translated_twice() -> None:
    assert [key for key, times in Counter(keys()).items() if times > 1] == []


def test_every_word_and_its_translation_is_text() -> None:
    for key, said in rendering.words("fr").items():
        assert isinstance(key, str), key
        assert isinstance(said, str), key
        assert said.strip() == said != "", key


def test_what_stands_in_the_english_stands_in_the_french() -> None:
    for key, said in rendering.words("fr").items():
        assert sorted(re.findall(r"{\w+}", key)) == sorted(re.findall(r"{\w+}", said)), key


# ---------------------------------------------------------------- as a page says it


async def test_a_refusal_is_told_in_the_readers_language(bench: Bench) -> None:
    await Site(bench).patient("PT1", obx(BLOT, "58"))
    browser = bench.signed_in(language="fr")
    answer = browser.post("/cases/C1/decide", {"version": "2", "kind": "no_action", "why": "x"})
    assert answer.status_code == 422
    assert "C1 en est à la version 1, et non 2" in answer.text
    assert "Ceci n'est pas" in rendering.translated("fr", "This is not your password: nothing was signed")
