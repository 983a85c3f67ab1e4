"""The pathway as a drawing: every node below what leads to it, none upon another, and where the case stands told in words,
signs and strokes."""

from __future__ import annotations

import re
from itertools import combinations

import msgspec
import pytest
from evidence_parts import BLOT, CK, Said, obx
from web_parts import TEXTS, Bench

from labbridge.knowledge.pathway import read_pathway
from labbridge.model.outcome import Standing, Step
from labbridge.model.reference import PathwayEdge, PathwayNode, Reference
from labbridge.sources import reference_of
from labbridge.web.application import application
from labbridge.web.rendering import translated, words
from labbridge.web.views.pathway import LETTERS, LINES, WIDTH, Drawing, drawing, layers, said

SHIPPED = reference_of(TEXTS).pathway
NOWHERE = Standing()
AT_N2A = Standing(at="N2a", reached=("N0", "N1", "N2a"), open=(Step("N3c", "clinician"), Step("N2a", "laboratory")))


def nodes(**edges: str) -> tuple[PathwayNode, ...]:
    """Nodes by name, each with the names its arrows lead to."""
    return tuple(
        PathwayNode(
            id=id, label=f"node {id}", decision="laboratory", edges=tuple(PathwayEdge(node=one) for one in ends.split())
        )
        for id, ends in edges.items()
    )


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ({"A": "B", "B": "C", "C": ""}, {"A": 0, "B": 1, "C": 2}),
        ({"A": "B C", "B": "C", "C": ""}, {"A": 0, "B": 1, "C": 2}),
        ({"A": "C", "B": "C", "C": ""}, {"A": 0, "B": 0, "C": 1}),
        ({"A": "D B", "B": "C", "C": "D", "D": "E", "E": ""}, {"A": 0, "B": 1, "C": 2, "D": 3, "E": 4}),
        ({"A": "B", "B": "C", "C": "A"}, {"A": 0, "B": 1, "C": 2}),
        ({"A": "B", "B": "B2", "B2": "B D", "D": ""}, {"A": 0, "B": 1, "B2": 2, "D": 3}),
        ({"A": ""}, {"A": 0}),
        ({"A": "gone"}, {"A": 0}),
    ],
)
def test_a_node_stands_below_the_lowest_that_leads_to_it(edges: dict[str, str], found: dict[str, int]) -> None:
    assert layers(nodes(**edges)) == found


def test_every_arrow_of_the_published_pathway_leads_down() -> None:
    found = layers(SHIPPED)
    assert len(found) > 20
    assert all(found[edge.node] > found[one.id] for one in SHIPPED for edge in one.edges)


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("given", [SHIPPED, nodes(A="B C D", B="E", C="E", D="", E="A"), nodes(A="C", B="", C="")])
def test_no_node_lies_upon_another_and_all_are_within_the_drawing(given: tuple[PathwayNode, ...]) -> None:
    found = drawing(given, NOWHERE)
    assert [one.node for one in found.boxes] == list(given)
    for one, other in combinations(found.boxes, 2):
        apart = one.x + WIDTH <= other.x or other.x + WIDTH <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y, (one.node.id, other.node.id)
    for one in found.boxes:
        assert one.x >= 0
        assert one.y >= 0
        assert one.x + WIDTH <= found.width
        assert one.y + one.height <= found.height


def corners(points: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in (one.split(",") for one in points.split())]


def test_an_arrow_goes_from_node_to_node_and_through_none_between() -> None:
    found = drawing(SHIPPED, NOWHERE)
    boxes = {one.node.id: one for one in found.boxes}
    assert len(found.arrows) == sum(len(one.edges) for one in SHIPPED)
    for arrow in found.arrows:
        way = corners(arrow.points)
        source, end = boxes[arrow.source], boxes[arrow.edge.node]
        assert way[0] == (source.middle, source.y + source.height)
        assert way[-1][0] == end.middle
        assert way[-1][1] <= end.y
        assert [y for _x, y in way] == sorted(y for _x, y in way)
        for x, y in way[1:-1]:
            assert not any(one.x < x < one.x + WIDTH and one.y < y < one.y + one.height for one in found.boxes)


def test_a_label_is_cut_where_it_is_too_long_for_its_node() -> None:
    found = drawing(SHIPPED, NOWHERE)
    assert all(1 <= len(one.lines) <= LINES and max(map(len, one.lines)) <= LETTERS for one in found.boxes)
    assert any(one.lines[-1].endswith(" …") for one in found.boxes)
    whole = [one for one in found.boxes if not one.lines[-1].endswith("…")]
    assert all(" ".join(one.lines) == one.node.label for one in whole)


def test_without_a_pathway_there_is_no_drawing_and_its_sentences_stay() -> None:
    assert drawing((), Standing(says=("It says.",))) == Drawing(says=("It says.",))


# ---------------------------------------------------------------- where a case stands


def test_each_node_says_how_the_case_stands_to_it() -> None:
    found = {one.node.id: (one.state, one.open) for one in drawing(SHIPPED, AT_N2A).boxes}
    assert found.pop("N2a") == ("present", True)
    assert found.pop("N0") == found.pop("N1") == ("reached", False)
    assert found.pop("N3c") == ("open", True)
    assert set(found.values()) == {("ahead", False)}


def test_arrows_between_what_was_reached_are_taken() -> None:
    taken = {(one.source, one.edge.node) for one in drawing(SHIPPED, AT_N2A).arrows if one.taken}
    assert taken == {("N0", "N1"), ("N1", "N2a")}


def test_an_outcome_from_before_the_pathway_stands_nowhere() -> None:
    found = drawing(SHIPPED, NOWHERE)
    assert found.present is None
    assert {one.state for one in found.boxes} == {"ahead"}


# ---------------------------------------------------------------- what is known of it


def test_what_is_shown_is_what_the_file_says() -> None:
    known = read_pathway(TEXTS, []).nodes
    assert [one.id for one in SHIPPED] == list(known)
    for one in SHIPPED:
        node = known[one.id]
        assert (one.label, one.decision, one.added, one.citations) == (
            node.label, node.decision, node.added, node.citations,
        )  # fmt: skip
        assert [msgspec.to_builtins(edge) for edge in one.edges] == [msgspec.to_builtins(edge) for edge in node.edges]


def test_every_word_of_the_pathway_has_its_french() -> None:
    known = read_pathway(TEXTS, []).nodes.values()
    every = {
        text for one in known for text in (one.label, *(s.text for s in one.says), *(e.label for e in one.edges))
    } - {""}
    assert len(every) > 60
    assert {one for one in every if one not in words("fr")} == set()


def test_the_labels_are_laid_out_in_the_readers_language() -> None:
    found = drawing(said(SHIPPED, lambda text: translated("fr", text)), AT_N2A)
    assert found.present is not None
    assert found.present.lines == ("anti-SRP positif",)


# ---------------------------------------------------------------- on the page


async def test_the_page_draws_it_and_says_the_same_in_words(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"), obx(CK, "7800"))
    text = bench.signed_in().get("/cases/C1").text
    found = text[text.index('<details class="card pathway"') :]
    found = found[: found.index("</details>")]
    assert "style=" not in found
    assert "open" not in found[: found.index(">")].split(), "it costs no height until it is asked for"
    assert 'data-key="g"' in found
    assert found.count('<g class="node') == len(SHIPPED)
    present = re.search(r'<g class="node present[^"]*">.*?</g>', found, re.DOTALL)
    assert present is not None
    assert "▶ N2a the case stands here" in present[0]
    steps = found[found.index('id="pathway-steps"') :]
    assert steps.count("<li>") == len(SHIPPED)
    assert re.search(r"<strong>N2a</strong> anti-SRP positive .*<em>the case stands here", steps)
    assert "allenbach-benveniste" in steps
    assert "Anti-SRP is strongly positive, by one kind of method." in found


async def test_the_page_is_whole_where_the_pathway_cannot_be_read(bench: Bench) -> None:
    bench.app = application(bench.parts._replace(reference=Reference()))
    await Said(bench.lab)("F1", obx(BLOT, "58"))
    answer = bench.signed_in().get("/cases/C1")
    assert answer.status_code == 200
    assert "The pathway cannot be read now." in answer.text
    assert "<svg" not in answer.text


async def test_nothing_of_the_page_has_a_style_of_its_own(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"))
    text = bench.signed_in().get("/cases/C1").text
    assert " style=" not in text
    assert "<style" not in text
