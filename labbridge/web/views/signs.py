"""How a result reads at a glance: a letter in a shape, and words that say the same. Whatever stands against a result comes
before what it says: a withdrawn positive is withdrawn.

The words are English, as they are written in the templates; a page shows them through its `_`.
"""

from __future__ import annotations

import msgspec

from labbridge.interpret.categories import category
from labbridge.interpret.validity import has_value
from labbridge.model.result import Analyte, Category, Hep2Class, Hep2Finding, Material, Result, Status
from labbridge.model.values import Comparator, Quantity

STANDING = (Status.FINAL, Status.CORRECTED)
CHEMISTRY = (Analyte.CK, Analyte.CREATININE)


class Sign(msgspec.Struct, frozen=True):
    """`kind` is the shape, as evidence.css names it."""

    letter: str
    kind: str
    words: str


OPEN = Sign("–", "open", "left open")
NO_LIMIT = Sign("–", "open", "no limit to read it by")
ABOVE, WITHIN, BELOW = (
    Sign("H", "high", "above its limit"),
    Sign("N", "negative", "within its limits"),
    Sign("L", "low", "below its limit"),
)
_OF_STATUS = {
    Status.PENDING: Sign("…", "pending", "pending"),
    Status.CANCELLED: Sign("×", "gone", "cancelled"),
    Status.WITHDRAWN: Sign("W", "gone", "withdrawn"),
    Status.UNKNOWN: Sign("!", "doubt", "status unknown"),
}
_OF_CATEGORY = {
    Category.NEG: Sign("N", "negative", "negative"),
    Category.EQUIVOCAL: Sign("?", "equivocal", "equivocal"),
    Category.POS_LOW: Sign("P", "positive", "low positive"),
    Category.POS_STRONG: Sign("P+", "strong", "strongly positive"),
}
_PATTERNS = {
    Hep2Class.CYTO_COMPAT: "compatible cytoplasmic",
    Hep2Class.CYTO_OTHER: "other cytoplasmic",
    Hep2Class.NUCLEAR: "nuclear",
    Hep2Class.NEG: "negative",
    Hep2Class.UNSPECIFIED: "positive, no pattern given",
}


def sign(result: Result, contradicts: bool = False) -> Sign:
    """The sign of a version. `contradicts`: an earlier final version of the same result says something else."""
    if result.status not in STANDING:
        return _OF_STATUS[result.status]
    against = doubt(result, contradicts)
    if against:
        return Sign("!", "doubt", against)
    if result.analyte in CHEMISTRY:
        return _level(result)
    if result.hep2 is not None:
        return _pattern(result.hep2)
    found = category(result)
    return OPEN if found is None else _OF_CATEGORY[found]


def doubt(result: Result, contradicts: bool = False) -> str:
    """What keeps a final or corrected version from being used; empty where nothing does."""
    if result.problems:
        return "not understood"
    if result.material is not Material.UNSTATED and not result.material_validated:
        return "specimen not validated for this test"
    if contradicts:
        return "contradicts an earlier version"
    return "" if has_value(result) else "final without a value"


def category_words(found: Category) -> str:
    return _OF_CATEGORY[found].words


def _pattern(finding: Hep2Finding) -> Sign:
    words = _PATTERNS[finding.pattern]
    if not finding.pattern_stated:
        words = "cytoplasmic, pattern not described"
    if finding.pattern is not Hep2Class.NEG:
        return Sign("P", "positive", words)
    return Sign("N", "negative", words if finding.cytoplasm_stated else "negative, nothing said of the cytoplasm")


def _level(result: Result) -> Sign:
    """A number against the limits it came with. A comparator that leaves the side open leaves it open here."""
    value, upper, lower = result.value, result.upper_limit, result.lower_limit
    if not isinstance(value, Quantity) or (upper is None and lower is None):
        return NO_LIMIT
    number, comparator = value.number, value.comparator
    if comparator.below:
        if lower is not None and (number < lower or (number == lower and comparator is Comparator.LESS)):
            return BELOW
        return WITHIN if upper is not None and lower is None and number <= upper else OPEN
    if upper is not None and (number > upper or (number == upper and comparator is Comparator.GREATER)):
        return ABOVE
    if comparator.above:
        return OPEN
    return BELOW if lower is not None and number < lower else WITHIN
