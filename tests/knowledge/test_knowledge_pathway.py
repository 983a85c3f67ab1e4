"""The source paper's figure 4 as data: what clinical.md A10 names is there, and no mistake in the file goes unnamed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from knowledge_site import said_of

from labbridge.interpret.vocabulary import check_vocabulary
from labbridge.knowledge.decisions import Decisions
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.lock import entries
from labbridge.knowledge.pathway import FILE, Pathway, check_pathway, reachable, read_pathway
from labbridge.sources import load, shipped

LABORATORY = {"N1", "N2a", "N2b", "N2c"}
NODES = "N0 N1 N2a N2b N2c N3c N4c N5c N6a N6b N6c N7 N8a N8c T1 T2 M1 T3 T4".split()
OURS = {"X0", "X1", "X2"}
EDGES = """
    N0-N1 N1-N2a N1-N2b N1-N2c N2a-N6a N2b-N6b N2a-N3c N2b-N3c N2c-N3c N3c-N4c N4c-N5c N5c-N6c N5c-X1
    N6a-N7 N6b-N7 N6c-N7 N6a-N8a N6c-N8c N6a-T1 N6b-T1 N6c-T1 T1-T2 T2-M1 M1-T3 M1-T4
""".split()
INFERRED = {"N6a-N8a", "N6c-N8c", "M1-T4"}
DRUGS = ("corticosteroid", "immunoglobulin", "rituximab", "methotrexate", "azathioprine", "immunosuppressant")
OTHER_DRUGS = (
    "prednis",
    "cyclophosphamide",
    "mycophenolate",
    "tacrolimus",
    "ciclosporin",
    "cyclosporin",
    "statin",
    "plasma",
)


@pytest.fixture(scope="module")
def pathway() -> Pathway:
    return load().decisions.pathway


# ---------------------------------------------------------------- what ships


def test_the_nodes_of_the_figure_are_there_and_ours_are_marked(pathway: Pathway) -> None:
    assert [id for id, node in pathway.nodes.items() if not node.added] == NODES
    assert {id for id, node in pathway.nodes.items() if node.added} == OURS


def test_the_antibodies_are_the_laboratorys_and_everything_else_the_clinicians(pathway: Pathway) -> None:
    assert {id for id, node in pathway.nodes.items() if node.decision == "laboratory"} == LABORATORY


def test_the_edges_of_the_figure_are_there_and_those_inferred_say_so(pathway: Pathway) -> None:
    edges = {f"{id}-{edge.node}": edge for id, node in pathway.nodes.items() for edge in node.edges}
    assert sorted(id for id, edge in edges.items() if not edge.added) == sorted(EDGES)
    assert {id for id, edge in edges.items() if edge.inferred} == INFERRED
    assert {id for id, edge in edges.items() if edge.added} == {"X0-N0", "N1-X2", "N2c-N5c"}


def test_the_service_stands_on_the_antibodies_and_on_nothing_that_a_clinician_finds(pathway: Pathway) -> None:
    stands = {id for id, node in pathway.nodes.items() if node.reached_when}
    assert stands == LABORATORY | {"X0", "X2", "N0", "M1"}
    assert not any(node.says for id, node in pathway.nodes.items() if id not in stands)


def test_a_node_of_the_figure_cites_the_paper(pathway: Pathway) -> None:
    assert {node.citations for id, node in pathway.nodes.items() if id in NODES} == {("allenbach-benveniste",)}


def test_it_holds_no_dose(pathway: Pathway) -> None:
    text = (shipped() / FILE).read_text(encoding="utf-8")
    assert re.findall(r"\d\s*(?:mg|g|kg|ml|µg|mcg|iu|units?)\b", text, re.IGNORECASE) == []
    assert not re.search(r"\bmg\b|per day|daily|/d\b|bolus|per kilo", text, re.IGNORECASE)
    seen = " ".join(one for node in pathway.nodes.values() for one in node.texts)
    assert {found.group() for found in re.finditer(r"\d+", seen)} <= {"6"}  # the month of M1


def test_drugs_stand_in_the_clinicians_treatment_alone_and_only_those_of_the_figure(pathway: Pathway) -> None:
    for id, node in pathway.nodes.items():
        text = " ".join(node.texts).casefold()
        assert id in ("T1", "T2", "T3", "T4") or not [drug for drug in DRUGS if drug in text], id
        assert not [drug for drug in OTHER_DRUGS if drug in text], id
        assert not (id.startswith("T") and node.service), id  # nothing of ours happens there


def test_every_text_ends_as_a_reader_expects(pathway: Pathway) -> None:
    for node in pathway.nodes.values():
        assert node.label.endswith("?") is (node.kind == "question"), node.id
        assert all(one.text.endswith(".") for one in node.says), node.id


# ---------------------------------------------------------------- how it is read, and what is refused

SMALL = """\
# two lines of a person
- id: A
  version: 1
  label: begin
  kind: step
  decision: laboratory
  reached_when: [{srp: NEG}]
  open_when: [{at: A, ck: HIGH}]
  says:
    - {when: {at: A, hmgcr_known: true}, text: "Something."}
  edges:
    - {node: B, label: goes on, inferred: true}
  citations: [picard-2016]
  source: us
- id: B
  version: 2
  label: the end
  kind: end
  decision: clinician
  shown_when: [{age_group: [adult, unknown]}]
  citations: [picard-2016]
  source: us
"""


def faults_of(*texts: str) -> list[Fault]:
    faults: list[Fault] = []
    found = read_pathway([Source(FILE, text, site=bool(place)) for place, text in enumerate(texts)], faults)
    faults += check_pathway(found, {"picard-2016"})
    return faults + check_vocabulary(Decisions(pathway=found))


def test_a_sound_file_has_no_fault() -> None:
    assert faults_of(SMALL) == []
    faults: list[Fault] = []
    found = read_pathway([Source(FILE, SMALL)], faults)
    assert list(found.nodes) == ["A", "B"]
    first = found.nodes["A"]
    assert (first.reached_when, first.says[0].when) == (({"srp": "NEG"},), {"at": "A", "hmgcr_known": True})
    assert (first.edges[0].node, first.edges[0].inferred, first.edges[0].added) == ("B", True, False)
    assert found.nodes["B"].shown_when == ({"age_group": ("adult", "unknown")},)
    assert found.places == {"A": (FILE, 2), "B": (FILE, 15)}


def test_without_a_file_there_is_no_pathway_and_no_fault() -> None:
    assert check_pathway(Pathway(), ()) == []
    assert reachable({}) == frozenset()


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("{node: B, label", "{node: C, label", 2, "A: an edge leads to C, which is no node."),
        ("{node: B, label", "{node: C, label", 15, "B: no edge leads here."),
        ("{node: B, label", "{node: A, label", 2, "A: an edge leads back to the node itself."),
        ("inferred: true}\n", "inferred: true}\n    - {node: B, inferred: false}\n", 2, "A: two edges lead to B."),
        ("kind: step", "kind: end", 2, "A: an end has an edge."),
        ("  edges:\n    - {node: B, label: goes on, inferred: true}\n", "", 13, "B: no edge leads here."),
        ("label: begin", 'label: " "', 2, "A: the label is empty."),
        ("citations: [picard-2016]\n  source: us\n- id: B", "source: us\n- id: B", 2, "A: it cites nothing."),
        ("citations: [picard-2016]", "citations: [picard]", 2, "A: citation picard is not listed."),
        ("label: the end", "label: prednisone 1 mg/kg", 15, "B: a dose has no place here."),
        ("label: goes on", "label: 2 g in two days", 2, "A: a dose has no place here."),
        ('"Something."', '"Take 10mg."', 2, "A: a dose has no place here."),
        ("reached_when: [{srp:", "reached_when: [{serum:", 2, "A: fact serum is not known."),
        ("{srp: NEG}", "{srp: NEGATIVE}", 2, "A: srp is never NEGATIVE."),
        ("{srp: NEG}", "{at: A}", 2, "A: fact at is not known."),  # where it stands follows from what it has reached
        ("{at: A, ck: HIGH}", "{at: N9, ck: HIGH}", 2, "A: at is never N9."),
        ("{at: A, ck: HIGH}", "{at: A, ck: VERY}", 2, "A: ck is never VERY."),
        ("hmgcr_known: true", "hmgcr_known: yes", 2, "A: hmgcr_known is never yes."),
        ("[adult, unknown]", "[adult, old]", 15, "B: age_group is never old."),
        ("inferred: true}", "drawn: true}", 2, "unknown field `drawn`"),
        (", inferred: true}", "}", 2, "missing required field `inferred`"),
        ("decision: clinician", "decision: patient", 15, "Invalid enum value 'patient'"),
        ("kind: end", "kind: stop", 15, "Invalid enum value 'stop'"),
        ("version: 2", "version: new", 15, "Expected `int`"),
        ("version: 2\n  ", "", 15, "missing required field `version`"),
        ("  source: us\n- id: B", "- id: B", 2, "A source is missing."),
        ("- id: B", "- id: A", 15, "'A' stands twice."),
        ("shown_when", "show_when", 15, "unknown field `show_when`"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(before: str, after: str, line: int, message: str) -> None:
    assert before in SMALL
    found = faults_of(SMALL.replace(before, after))
    assert [one for one in found if (one.file, one.line) == (FILE, line) and message in one.message], found
    assert all(one.repair for one in found)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("node: N2a,", "node: N9,", "N1: an edge leads to N9, which is no node."),
        ("srp: KNOWN", "srp: RECOGNISED", "N2a: srp is never RECOGNISED."),
        ("label: cancer?", "label: cancer? Search at 60 mg", "N8c: a dose has no place here."),
        ("[labbridge-specification]", "[nobody]", "X0: citation nobody is not listed."),
    ],
)
def test_labbridge_check_names_a_mistake_in_the_shipped_file(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    text = (shipped() / FILE).read_text(encoding="utf-8")
    assert before in text
    wrong = text.replace(before, after)
    lines = {(one.file, one.line) for one in said_of(tmp_path, FILE, wrong) if message in one.message}
    id = message.partition(":")[0]
    assert lines == {(FILE, wrong[: wrong.index(f"- id: {id}\n")].count("\n") + 1)}


def test_a_site_replaces_a_node_in_its_place() -> None:
    theirs = SMALL[SMALL.index("- id: B") :].replace("the end", "our end").replace("version: 2", "version: 3")
    faults: list[Fault] = []
    found = read_pathway([Source(FILE, SMALL), Source(FILE, theirs, site=True)], faults)
    assert (list(found.nodes), found.nodes["B"].label, faults) == (["A", "B"], "our end", [])
    assert faults_of(SMALL, theirs.replace("- id: B", "- id: Z")) != []  # nothing leads to it


def test_a_changed_node_needs_a_raised_version() -> None:
    def locked(text: str) -> object:
        return entries(Decisions(pathway=read_pathway([Source(FILE, text)], [])))["pathway:B"]

    assert locked(SMALL) == locked(SMALL.replace("source: us", "source: them"))
    assert locked(SMALL) != locked(SMALL.replace("the end", "another end"))
