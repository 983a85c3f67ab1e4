"""A draft is written in the language of the receiver that will get it, and leaves in it."""

from __future__ import annotations

import msgspec
import pytest
from story_parts import BLOT, CK, Laboratory, Lis, obx, order, oru

from labbridge.processing import Settings, reader_of

WRITTEN = {
    "en": "Anti-SRP strongly positive (line blot), with markedly raised CK.",
    "fr": "Anticorps anti-SRP fortement positifs (immunodot en ligne), CK très élevée.",
    "de": "Anti-SRP-Antikörper stark positiv (Line-Blot), CK deutlich erhöht.",
    "es": "Anticuerpos anti-SRP fuertemente positivos (inmunoblot en línea), con CK muy elevada.",
}
MESSAGE = oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "7800")))


@pytest.mark.parametrize("language", WRITTEN)
async def test_a_draft_is_in_the_language_of_its_feeds_receiver(lab: Laboratory, language: str) -> None:
    lab.reader = msgspec.structs.replace(lab.reader, languages={"myolis": language, "other": "en"})
    await lab.take(MESSAGE)
    case = lab.case()
    assert case.text.startswith(WRITTEN[language])
    assert case.outcome.comment is not None
    assert case.outcome.comment.language == language


async def test_a_translation_leaves_as_it_was_signed(lab: Laboratory) -> None:
    lab.reader = msgspec.structs.replace(lab.reader, languages={"myolis": "fr"})
    await lab.take(MESSAGE)
    lab.release(f"C{lab.case().key}@{lab.case().version}")
    lis = Lis()
    await lab.deliver(lis)
    assert WRITTEN["fr"] in "".join(raw.decode() for raw in lis.received)


async def test_in_another_language_what_waits_is_drafted_anew(lab: Laboratory) -> None:
    await lab.take(MESSAGE)
    lab.reader = msgspec.structs.replace(lab.reader, languages={"myolis": "de"})
    await lab.take(MESSAGE.replace(b"|M1|", b"|M2|"))
    assert lab.case().text.startswith(WRITTEN["de"])


def test_the_service_reads_its_languages_by_feed() -> None:
    settings = Settings("store.db", "", (), "LABBRIDGE", False, {"lab": "es"})
    assert reader_of(settings).languages == {"lab": "es"}
