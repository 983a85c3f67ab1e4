"""The language of a draft is its feed's; a comment that was signed in another language is not replaced for that."""

from __future__ import annotations

import msgspec
import pytest
from review_build import DAY, case, found, held, outcome, policy

from labbridge.model.outcome import Outcome, States
from labbridge.review.worklist import Arrived, Entry, change, history_of
from labbridge.states import CaseState

ENGLISH = outcome("Anti-SRP positive.")


def french(text: str = "Anti-SRP positifs.", comment_class: str = "C01", srp: str = "NEG") -> Outcome:
    said = outcome(text, comment_class)
    assert said.comment is not None
    comment = msgspec.structs.replace(said.comment, language="fr")
    return msgspec.structs.replace(said, comment=comment, states=States(srp, "NEG", "NEG", "NORMAL"))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_case_is_read_in_the_language_of_what_arrived(language: str) -> None:
    seen = history_of(Entry(case(), DAY), Arrived(found(), DAY, language), held(), policy())
    assert seen.language == language


@pytest.mark.parametrize(
    ("state", "now", "changes"),
    [
        (CaseState.SIGNED, french(), False),
        (CaseState.SIGNED, french(comment_class="C03"), True),
        (CaseState.SIGNED, french(srp="POS_STRONG"), True),
        (CaseState.SIGNED, outcome("Anti-SRP low positive.", used=("M8:OBX[3]",)), True),
        (CaseState.NEW, french(), True),
    ],
)
def test_a_signed_comment_is_not_replaced_by_its_translation(state: CaseState, now: Outcome, changes: bool) -> None:
    assert (change(Entry(case(state=state, said=ENGLISH), DAY), now, frozenset(ENGLISH.used)) is not None) is changes
