"""The story against its model: some hundred steps of fixed seeds, and the model's power to find what is planted."""

from __future__ import annotations

import pytest

from labbridge.store import links, outbox
from tests.fuzz import story


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_store_and_model_agree_after_every_step(seed: int) -> None:
    before = story.Story.steps
    story.told(seed, examples=3, steps=40)
    assert story.Story.steps - before > 100


def _parts(told: int) -> bool:
    """Whether store and model part within so many stories."""
    for number in range(told):
        try:
            story.told(number, examples=4, steps=40)
        except AssertionError:
            return True
    return False


def test_the_model_finds_a_comment_that_leaves_out_of_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "VERSION", outbox.VERSION.replace("SELECT c.version", "SELECT NULL"))
    monkeypatch.setattr(outbox, "UNREAD", "SELECT 1 WHERE ? = ''")
    assert _parts(12)


def test_the_model_finds_a_merge_that_joins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "OF_PATIENT", "SELECT ?1, 0 AS place")
    assert _parts(6)
