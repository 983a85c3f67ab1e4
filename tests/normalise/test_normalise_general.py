"""A feed carries its laboratory's whole menu: none of it may be taken for one of ours, and none of it is lost."""

from __future__ import annotations

import general_laboratory as general
from panels import knowledge

from labbridge.knowledge.build import Knowledge
from labbridge.sources import load

MESSAGES = 1500


def found(with_: Knowledge) -> general.Found:
    return general.read(general.messages(general.menu(), MESSAGES, general.SEED), with_)


def test_no_test_of_a_general_laboratory_is_taken_for_one_of_ours() -> None:
    for tables in (load(), knowledge()):  # shipped alone, and with a site's own codes
        seen = found(tables)
        assert (dict(seen.may_be_ours), dict(seen.results)) == ({}, {})
        assert seen.messages == MESSAGES


def test_each_code_is_listed_once_per_feed_however_often_it_comes() -> None:
    seen = found(load())
    menu = general.menu()
    feeds = {feed for feed, _code, _label in seen.listed}
    assert len(feeds) == len(general.CODINGS)
    assert all(len([1 for feed, *_rest in seen.listed if feed == one]) <= len(menu) for one in feeds)
    assert seen.observations > 2 * len(seen.listed)
    assert {code for code, _times in seen.notes.items()} <= {"N013"}


def test_the_menu_has_each_code_once_and_says_how_its_values_look() -> None:
    menu = general.menu()
    assert len({one.code for one in menu}) == len(menu) > 300
    assert {one.kind for one in menu} == {"number", "titre", "word", "text"}
    assert all(float(one.low) < float(one.high) for one in menu if one.kind == "number")
