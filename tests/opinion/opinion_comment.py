"""C8 with C10.3, C10.6, C10.7, C11.15 and D2: the one comment and its addenda."""

from __future__ import annotations

from opinion_core import Findings, Question
from opinion_overlays import current, delays
from opinion_record import ANTIBODIES, PARTNER, Standing

KEEPS_ITS_PLACE = {"C01", "C02", "C03", "C04", "C08", "C10"}  # C10.7
ADDENDA_ORDER = ("C19", "C20", "C09", "C23", "C18", "C17", "C16", "C15")  # D2.1
MOST_ADDENDA = 2  # D2.1


def choose(q: Question, f: Findings, asked: set[str], standing: Standing) -> tuple[str, list[str]]:
    """The first match of C8, then what is appended to it. `asked` are the comment classes of C7."""
    withdrawn = any(current(line, q) for line in standing.withdrawn)
    corrected = any(current(line, q) for line in standing.corrected)
    invalid = any(current(line, q) for line in standing.invalid)
    main = first_match(q, f, asked, standing)
    # C10.7: what is appended to a core comment goes with it; where C24 or C14 replaces it, only the flags stay.
    addenda = appended(q, f, asked) if main == f.core else set()
    if of_new(q, "resolved") or (of_new(q, "discordant") and main != f.core):
        addenda.add("C09")  # C8: a disagreement is never passed over
    if main == "NONE" and "C20" in addenda:
        main = "C20"
    if main == "NONE" and (withdrawn or (corrected and q.episode.context.comment_posted)):
        main = "C19"  # C8.2; open: after a correction only where a comment had been posted
    if main == "NONE" and invalid:
        main = "C18"  # C8.3
    if withdrawn or corrected:
        addenda.add("C19")
    if invalid:
        addenda.add("C18")
    if main == "NONE":
        return "NONE", []
    return main, [c for c in ADDENDA_ORDER if c in addenda and c != main][:MOST_ADDENDA]


def first_match(q: Question, f: Findings, asked: set[str], standing: Standing) -> str:
    """C8 items 3-11."""
    keeps = f.core in KEEPS_ITS_PLACE
    untested = not q.others.strength and all(q.episode.category(a) == "NOT_TESTED" for a in ANTIBODIES)
    on_antibody = any(line.analyte in {*ANTIBODIES, "OTHER_MSA"} and current(line, q) for line in standing.invalid)
    ladder = [
        ("C18", on_antibody and untested),
        ("C24", f.has("CK_LOW_DISCORDANT")),
        ("C20", delays(q)),
        ("C08", f.has("DUAL_SRP_HMGCR")),
        ("C23", f.has("MULTI_MSA") and not multiple_is_addendum(q, f)),
        ("C14", "C14" in asked),
        ("C25", "C25" in asked and not keeps),  # C10.7 does not let it replace a core comment
        *((code, code in asked and not keeps) for code in ("C17", "C16", "C15")),
        ("C09", bool(of_new(q, "discordant")) and not discordance_is_addendum(q)),
    ]
    return next((code for code, applies in ladder if applies), f.core)


def appended(q: Question, f: Findings, asked: set[str]) -> set[str]:
    keeps = f.core in KEEPS_ITS_PLACE
    addenda = {code for code in ("C15", "C16", "C17") if code in asked and keeps}
    if q.episode.passive and not delays(q):
        addenda.add("C20")  # C10.6
    if discordance_is_addendum(q):
        addenda.add("C09")
    if f.has("MULTI_MSA") and multiple_is_addendum(q, f):
        addenda.add("C23")
    return addenda


def of_new(q: Question, what: str) -> list[str]:
    """The antibodies that are not followed up (C11.14: those get their comment from C7) with such a disagreement."""
    return [a for a in ANTIBODIES if getattr(q.episode.states[a], what) and not q.known(a)]


def discordance_is_addendum(q: Question) -> bool:
    """C10.7: when the other antibody is positive its comment comes first."""
    others = [PARTNER[analyte] for analyte in of_new(q, "discordant")]
    return any(q.episode.states[other].positive and not q.known(other) for other in others)


def multiple_is_addendum(q: Question, f: Findings) -> bool:
    """C10.7: a strong SRP or HMGCR with a high CK is not hidden behind weak other antibodies."""
    weak = all(q.others.strength[name] == "POS_LOW" for name in q.others.positive)
    return f.core in KEEPS_ITS_PLACE and q.episode.any_strong() and q.episode.hi and weak
