"""C2 with C1.5, C1.6, C10.19-C10.21, C10.30, C10.31, C10.34: the category of each usable result."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from opinion_record import Line, Problem, Reading

FAMILY: dict[str, str] = {  # C2
    "line_blot": "blot",
    "dot_blot": "blot",
    "elisa": "quant",
    "clia": "quant",
    "albia": "quant",
    "pmat": "quant",
    "ip_rna": "ip",
    "ip_protein": "ip",
    "cba": "cba",
    "tissue_iif": "tissue",
    "hep2_iif": "tissue",  # C1.0: an SRP titre on HEp-2 is tissue support, not a specific assay
}
BLOT_LIMITS: dict[str, tuple[int, int, int]] = {"line_blot": (6, 11, 26), "dot_blot": (5, 10, 30)}  # C2
STRONG_FACTOR = 3  # C2: >= 3 x cut-off
CK_FACTOR: dict[str, Fraction] = {  # E56
    **dict.fromkeys(["u/l", "ui/l", "iu/l"], Fraction(1)),
    **dict.fromkeys(["µkat/l", "μkat/l", "ukat/l", "microkat/l"], Fraction(60)),
}
CREATININE_FACTOR: dict[str, Fraction] = {  # C10.28
    **dict.fromkeys(["µmol/l", "μmol/l", "umol/l"], Fraction(1)),
    "mg/dl": Fraction("88.4"),
}
CK_CEILING = 1_000_000  # C1.5
SENT_LIMIT = (50, 2000)  # C10.30
ADULT_LIMIT = {"F": 207, "M<50": 395, "M>=50": 340}  # C2
CHILD_LIMIT = {"F": 345, "M": 870}  # C2, E54

NUMBER = re.compile(r"^\s*([<>]?)\s*(-?\d+(?:[.,]\d+)?)\s*$")
THOUSANDS = re.compile(r"^\s*[<>]?\s*-?\d+,\d{3}\s*$")
GRADES: tuple[tuple[str, re.Pattern[str]], ...] = (  # C2, first match wins
    ("NEG", re.compile(r"^(neg|nég)|not detected|non d[ée]tect[ée]|nicht nachweisbar", re.IGNORECASE)),
    ("EQUIVOCAL", re.compile(r"^\(\+\)$|borderline|equivocal|douteux|ind[ée]termin", re.IGNORECASE)),
    ("POS_STRONG", re.compile(r"^\+{2,}$|strong|fort", re.IGNORECASE)),
    ("POS_LOW", re.compile(r"^\+$|weak|low|faible|^positi", re.IGNORECASE)),
)

NEGATED = re.compile(r"\b(no|without|sans|pas de|absence de|keine?)\b(?:(?!\bbut\b|\bmais\b)[^.,;])*", re.IGNORECASE)
AC_CODE = re.compile(r"\bAC-?\s?(\d+)", re.IGNORECASE)
CYTOPLASM = re.compile(r"c[yi]toplasm|zytoplasm", re.IGNORECASE)
FINE = re.compile(r"fine(ly)?[ -](speckled|granular)|finement (granul|mouchet)", re.IGNORECASE)
DIFFUSE = re.compile(r"diffus|homogen|homogèn|dense", re.IGNORECASE)
ORGANELLE = re.compile(r"mitochond|golgi|lysosom|filament|rods and rings|\bdots?\b", re.IGNORECASE)
NUCLEAR = re.compile(r"nuclear|nucl[ée]|nucleol|mitotic|mitotique|centromer", re.IGNORECASE)
TITRE = re.compile(r"1\s*[:/]\s*(\d+)")
CORROBORATING_TITRE = 160  # C10.20


@dataclass(frozen=True)
class Patient:
    sex: str
    age: Fraction | None

    @classmethod
    def of(cls, sent: dict[str, Any]) -> Patient:
        age = sent.get("age_years")
        return cls(sex=str(sent.get("sex") or ""), age=None if age is None else Fraction(str(age)))

    @property
    def child(self) -> bool:
        return self.age is not None and self.age < 18


def read(line: Line, patient: Patient) -> Reading | Problem:
    """A usable version as a reading, or why it cannot be read."""
    if line.analyte == "CK":
        return read_ck(line, patient)
    if line.analyte == "CREAT":
        return read_creatinine(line)
    if line.analyte == "ANA_HEP2":
        return read_hep2(line)
    return read_antibody(line)


# --- antibodies -----------------------------------------------------------------------------------------------------


def amount(value: str) -> tuple[str, Fraction] | None:
    found = NUMBER.match(value)
    return (found[1], Fraction(found[2].replace(",", "."))) if found else None


def read_antibody(line: Line) -> Reading | Problem:
    family = FAMILY.get(line.method)
    if family is None:
        return Problem("ASSAY_UNMAPPED", line)
    if THOUSANDS.match(line.value):
        return Problem("VALUE_IMPLAUSIBLE", line)  # C1.6: 1,234 is ambiguous
    sent = amount(line.value)
    if sent is None:
        grade = text_grade(line.value, family)
        return Problem("ASSAY_UNMAPPED", line) if grade is None else Reading(line, family, grade)
    if sent[1] < 0:
        return Problem("VALUE_IMPLAUSIBLE", line)
    limits = antibody_limits(line)
    if limits is None:
        return Problem("ASSAY_UNMAPPED", line)  # C1.5: a number without a limit says nothing
    category = numeric_category(*sent, limits, line.method)
    if category is None:
        return Problem("RESULT_CENSORED", line)
    return Reading(line, family, category, number=sent[1], comparator=sent[0])


def antibody_limits(line: Line) -> tuple[Fraction, Fraction, Fraction] | None:
    """Lowest limit of equivocal, of low positive and of strong positive."""
    if line.method in BLOT_LIMITS:
        low, middle, high = BLOT_LIMITS[line.method]
        return Fraction(low), Fraction(middle), Fraction(high)
    if FAMILY[line.method] == "quant" and line.cutoff is not None and line.cutoff > 0:
        return line.cutoff, line.cutoff, STRONG_FACTOR * line.cutoff
    return None


def numeric_category(
    comparator: str, value: Fraction, limits: tuple[Fraction, Fraction, Fraction], method: str
) -> str | None:
    """C2; None is a censored value that could lie in more than one category (C1.6)."""
    lowest, low, strong = limits
    if comparator == "<":
        return "NEG" if value <= lowest else None
    if comparator == ">":
        return "POS_STRONG" if value >= strong else None
    if value < lowest:
        return "NEG"
    if value >= strong:
        return "POS_STRONG"
    # C2: on the line blot 11 is low positive, on the dot blot 10 is still equivocal.
    return "EQUIVOCAL" if value < low or (method == "dot_blot" and value == low) else "POS_LOW"


def text_grade(value: str, family: str) -> str | None:
    for grade, words in GRADES:
        if words.search(value.strip()):
            if grade == "POS_LOW" and family in {"ip", "cba"}:
                return "POS_STRONG"  # C2: any positive of tier 1
            return grade
    return None


# --- HEp-2 ----------------------------------------------------------------------------------------------------------


def read_hep2(line: Line) -> Reading:
    """Pattern text and notes outrank the positive/negative word (C2, E40)."""
    text = NEGATED.sub(" ", f"{line.pattern}; {line.note}; {line.value}")
    codes = {int(code) for code in AC_CODE.findall(text)}
    category = hep2_class(text, codes, line)
    return Reading(
        line,
        "hep2_iif",
        category,
        weak_titre=category == "CYTO_COMPAT" and titre_is_weak(line),
        unspecified=category == "NOT_TESTED" or (category == "CYTO_OTHER" and not codes & set(range(15, 24))),
    )


def hep2_class(text: str, codes: set[int], line: Line) -> str:
    cytoplasmic = [phrase for phrase in re.split(r"[.,;]", text) if CYTOPLASM.search(phrase)]
    if codes & {19, 20} or any(compatible(phrase) for phrase in cytoplasmic):
        return "CYTO_COMPAT"
    if codes & {15, 16, 17, 18, 21, 22, 23} or cytoplasmic:
        return "CYTO_OTHER"
    if any(1 <= code <= 14 or code >= 24 for code in codes) or NUCLEAR.search(text):
        return "NUCLEAR"
    if 0 in codes or text_grade(line.value, "") == "NEG" or line.titre.strip().startswith("<"):
        return "NEG"
    return "NOT_TESTED"  # C10.19: positive without any pattern


def compatible(phrase: str) -> bool:
    """C2 and C10.19b: fine granular, or diffuse without the name of an organelle."""
    return bool(FINE.search(phrase)) or bool(DIFFUSE.search(phrase) and not ORGANELLE.search(phrase))


def titre_is_weak(line: Line) -> bool:
    """C10.20: below 1:160; no titre at all is not weak."""
    titre = line.titre.strip()
    if titre.isdigit():
        return int(titre) < CORROBORATING_TITRE
    found = TITRE.search(titre) or TITRE.search(f"{line.note} {line.pattern}")
    return found is not None and int(found[1]) < CORROBORATING_TITRE


# --- CK and creatinine ----------------------------------------------------------------------------------------------


def read_ck(line: Line, patient: Patient) -> Reading | Problem:
    if line.method != "enzymatic":
        return Problem("ASSAY_UNMAPPED", line)
    factor = CK_FACTOR.get(line.unit.strip().lower())
    sent = amount(line.value)
    if THOUSANDS.match(line.value) or sent is None or sent[1] < 0:
        return Problem("VALUE_IMPLAUSIBLE", line)
    if factor is None:
        return Problem("UNIT_UNKNOWN", line)
    value = sent[1] * factor
    if value > CK_CEILING:
        return Problem("VALUE_IMPLAUSIBLE", line)
    limit, assumed = upper_limit(line, factor, patient)
    ratio = None if limit is None else value / limit
    return Reading(
        line,
        "enzymatic",
        number=value,
        comparator=sent[0],
        ratio=ratio,
        band=ck_band(ratio),
        limit_assumed=assumed,
    )


def upper_limit(line: Line, factor: Fraction, patient: Patient) -> tuple[Fraction | None, bool]:
    """C10.30: the limit sent wins at any age unless it is not a limit; then the fallback, marked as assumed."""
    sent = line.ref_high
    if sent is not None and sent > 0 and sent != line.ref_low and SENT_LIMIT[0] <= sent * factor <= SENT_LIMIT[1]:
        return sent * factor, False
    if patient.age is not None and patient.age < 1:
        return None, False
    female = patient.sex == "F"  # C10.31: unknown or other sex takes the male limit
    if patient.child:
        return Fraction(CHILD_LIMIT["F" if female else "M"]), True
    if female:
        return Fraction(ADULT_LIMIT["F"]), True
    # Open (C10.31): a man of unknown age gets the higher adult limit, as sex unknown does.
    older = patient.age is not None and patient.age >= 50
    return Fraction(ADULT_LIMIT["M>=50" if older else "M<50"]), True


def ck_band(ratio: Fraction | None) -> str:
    if ratio is None:
        return "UNKNOWN"
    if ratio <= 1:
        return "NORMAL"
    if ratio < 4:
        return "MILD"
    return "MOD" if ratio <= 10 else "HIGH"


def read_creatinine(line: Line) -> Reading:
    """C10.28: what cannot be read only means that the rule cannot be applied, never a hold."""
    sent = amount(line.value)
    factor = CREATININE_FACTOR.get(line.unit.strip().lower())
    if sent is None or factor is None or sent[1] < 0:
        return Reading(line, "enzymatic")
    return Reading(line, "enzymatic", number=sent[1] * factor, comparator=sent[0])
