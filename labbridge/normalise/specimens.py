"""The specimen of an order: its material, whether a test is validated on it, and notes on its quality."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from labbridge.knowledge.terminology import Terminology, Words
from labbridge.knowledge.words import fold, plain
from labbridge.model.report import EntityId, Order, Specimen, Timestamp
from labbridge.model.result import Material
from labbridge.normalise.sent import texts_of

_VOLUME = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,6})?")
_WORST = (Material.OTHER, Material.OTHER_PLASMA, Material.HEPARIN_PLASMA, Material.SERUM)


class Tube(msgspec.Struct, frozen=True):
    """What is known of the tube of an order. UNSTATED: nothing usable was sent, the usual specimen is assumed. `empty`: its
    volume was sent, and is 0 or less than a further test needs."""

    material: Material = Material.UNSTATED
    text: str = ""
    poor: bool = False
    empty: bool = False
    control: bool = False
    id: EntityId = EntityId()
    collected: Timestamp | None = None
    received: Timestamp | None = None


def tube(order: Order, terminology: Terminology, least_ml: Decimal) -> Tube:
    """The tube of an order: the first specimen that states a material, else its first; none gives an unstated one.
    `least_ml`: what a further test needs of it."""
    words = terminology.words
    tubes = [_tube(specimen, terminology, least_ml) for specimen in order.specimens]
    found = next((one for one in tubes if one.material is not Material.UNSTATED), tubes[0] if tubes else Tube())
    if order.notes and not found.poor and poor(order.notes, words):
        return msgspec.structs.replace(found, poor=True)
    return found


def _tube(specimen: Specimen, terminology: Terminology, least_ml: Decimal) -> Tube:
    words = terminology.words
    texts = [part for coding in specimen.type for part in (coding.code, coding.display) if part]
    found = [words.materials[plain(text)] for text in texts if plain(text) in words.materials]
    material = next((one for one in _WORST if one in found), Material.UNSTATED)
    about = (*specimen.notes, *(part for coding in specimen.condition for part in (coding.display, coding.code)))
    return Tube(
        material=material,
        text=next((coding.display or coding.code for coding in specimen.type), ""),
        poor=poor(about, words) or any(poor((*one.notes, *texts_of(one)), words) for one in specimen.observations),
        empty=_empty(specimen, terminology, least_ml),
        control=fold(specimen.role) in words.phrases.get("control_role", ()),
        id=specimen.filler or specimen.placer,
        collected=specimen.collected,
        received=specimen.received,
    )


def _empty(specimen: Specimen, terminology: Terminology, least_ml: Decimal) -> bool:
    """Nothing left, in whatever unit; or less than is needed, in a unit that is known. What cannot be read says nothing."""
    sent = _VOLUME.fullmatch(specimen.volume.strip())
    if sent is None:
        return False
    volume, unit = Decimal(sent[0].replace(",", ".")), terminology.unit("SPECIMEN", specimen.volume_unit)
    return not volume or (unit is not None and volume * unit.factor < least_ml)


def poor(texts: Iterable[str], words: Words) -> bool:
    """Whether a note speaks of gross haemolysis, lipaemia or icterus (clinical.md C1.4), and does not deny it."""
    phrases, negations = words.phrases.get("poor_quality", ()), words.hep2_words.get("negation", ())
    return any(_says(fold(text), phrase, negations) for text in texts for phrase in phrases)


def _says(folded: str, phrase: str, negations: Iterable[str]) -> bool:
    if phrase not in folded:
        return False
    for negation in negations:
        folded = folded.replace(f"{negation.rstrip()}{phrase}", " ")
    return phrase in folded
