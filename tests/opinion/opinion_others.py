"""The other myositis antibodies (C10.3, C10.24, C10.37, C10.38): which are positive, which were looked for."""

from __future__ import annotations

from dataclasses import dataclass

from opinion_episode import Episode
from opinion_record import days, plain_name
from opinion_state import HISTORY, STRENGTH, WINDOW

SYNTHETASES = {"jo1", "pl7", "pl12", "ej", "oj", "ks", "zo", "ha"}  # C10.24
MYOSITIS_SPECIFIC = SYNTHETASES | {"mi2", "tif1", "mda5", "nxp2", "sae"}  # C10.24, outside SRP and HMGCR
RIBOSOMAL_P = {"ribosomalp", "ribp", "rpp"}  # C10.38
FULL_PANEL = 6  # C10.37


@dataclass(frozen=True)
class OtherAntibodies:
    """The other myositis antibodies of this episode, by plain name."""

    strength: dict[str, str]
    families_of_positive: frozenset[str]
    explains_cytoplasm: bool

    @property
    def positive(self) -> set[str]:
        return {name for name, grade in self.strength.items() if grade.startswith("POS") and name in MYOSITIS_SPECIFIC}

    @property
    def panel_negative(self) -> bool:
        """C10.37: at least six antigens incl. a synthetase negative."""
        negative = {name for name, grade in self.strength.items() if grade == "NEG" and name in MYOSITIS_SPECIFIC}
        return len(negative) >= FULL_PANEL and bool(negative & SYNTHETASES)


def other_antibodies(episode: Episode) -> OtherAntibodies:
    readings = episode.of("OTHER_MSA")
    current = [r for r in readings if days(r.day, episode.anchor) <= HISTORY]
    strength: dict[str, str] = {}
    positive: set[str] = set()
    for reading in current:
        name = plain_name(reading.line.antigen)
        newest = max(r.day for r in current if plain_name(r.line.antigen) == name)
        # Open (C10.3 "usable and POS_LOW or stronger"): within 30 d no NEG of another method takes a positive back.
        if days(reading.day, newest) <= WINDOW:
            strength[name] = max(strength.get(name, "NEG"), reading.category, key=STRENGTH.index)
            positive |= {reading.family} if reading.positive and name in MYOSITIS_SPECIFIC else set()
    explaining = SYNTHETASES | RIBOSOMAL_P
    return OtherAntibodies(
        strength,
        # C10.22 reads "of that analyte": what is to be confirmed are the positive antigens.
        frozenset(positive),
        any(r.positive and plain_name(r.line.antigen) in explaining for r in readings),
    )
