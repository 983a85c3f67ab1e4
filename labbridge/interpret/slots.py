"""What the sentences of a comment may ask and name: facts about its subject and its retests, and the words for slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from labbridge.interpret import over_time, spoken
from labbridge.interpret.categories import category, reactive
from labbridge.interpret.evidence import AntibodyEvidence, Episode, Raised
from labbridge.interpret.facts import FactValue, OnDemand
from labbridge.interpret.on_hand import on_hand
from labbridge.interpret.rules import Verdict
from labbridge.knowledge.decisions import CommentRow, Decisions
from labbridge.knowledge.policy import Policy
from labbridge.model.history import History
from labbridge.model.outcome import PostedComment, Priority, Retest
from labbridge.model.result import Analyte, Category, Result
from labbridge.model.values import Grade, Quantity

SRP, HMGCR, HEP2, CK, OTHERS = (
    Analyte.SRP.value,
    Analyte.HMGCR.value,
    Analyte.HEP2.value,
    Analyte.CK.value,
    Analyte.OTHER_MSA.value,
)
CHANGES = ("RESULT_WITHDRAWN", "RESULT_CORRECTED")
NEW_SPECIMEN = "same_new_specimen"
NEW_SAMPLE = ("new_subject", "new_other", "new_antibodies", "new_others", "new_serology", "new_beside")
MAY_BE_EMPTY = ("codes", "delay", "ck_comma", "ck_and", "ck_too", "urgent", *NEW_SAMPLE)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a comment is written from."""

    history: History
    episode: Episode
    facts: Mapping[str, FactValue]
    verdict: Verdict
    decisions: Decisions
    policy: Policy

    @property
    def texts(self) -> Mapping[str, CommentRow]:
        """The comment classes in the language of the history."""
        return self.decisions.comments_in(self.history.language)

    @property
    def words(self) -> Mapping[str, Mapping[str, str]]:
        """The word tables in the language of the history."""
        return self.decisions.words_in(self.history.language)

    def retest(self, analyte: str) -> Retest | None:
        return next((one for one in self.verdict.retests if one.analyte == analyte), None)

    def urgent(self, analyte: str) -> bool:
        found = self.retest(analyte)
        return found is not None and found.priority is Priority.URGENT

    @property
    def last_posted(self) -> PostedComment | None:
        return max(self.history.posted, key=lambda one: one.posted, default=None)

    @property
    def changed(self) -> Raised | None:
        """The change that concerns what was posted (nothing posted: any): a withdrawal before a correction, the newest."""
        found = [one for one in self.episode.raised if one.code in CHANGES]
        posted = self.last_posted
        if posted is not None:
            found = [one for one in found if set(one.refs[:-1]) & set(posted.used)]
        return max(found, key=lambda one: (-CHANGES.index(one.code), str(one.day), one.refs), default=None)

    @property
    def invalid(self) -> Raised | None:
        """A result on a specimen that is not validated: an antibody's before a companion's (C8.3)."""
        found = [one for one in self.episode.raised if one.code == "SPECIMEN_INVALID"]
        return next((one for one in found if one.analyte in (SRP, HMGCR)), found[0] if found else None)

    def antibody(self, analyte: str) -> AntibodyEvidence:
        return self.episode.srp if analyte == SRP else self.episode.hmgcr


class About(msgspec.Struct, frozen=True):
    """A case seen from the antibody its comment speaks of: that one, and the other of the two."""

    case: Case
    one: AntibodyEvidence
    other: AntibodyEvidence

    @property
    def table(self) -> Mapping[str, Mapping[str, str]]:
        return self.case.words


def about(case: Case, subject: str) -> About:
    """The case seen from anti-SRP or anti-HMGCR."""
    return About(case, case.antibody(subject), case.antibody(HMGCR if subject == SRP else SRP))


def asked(case: Case, subject: str) -> Mapping[str, FactValue]:
    """The facts a sentence may be conditional on: those of the rules, and ASKED. KeyError for any other."""
    seen = about(case, subject)
    return OnDemand(case.facts, lambda name: ASKED[name].read(seen))


def words(case: Case, subject: str) -> Mapping[str, str]:
    """The words of every slot of SLOTS; empty where the fact is not there. KeyError for any other slot."""
    seen = about(case, subject)
    return OnDemand({}, lambda name: SLOTS[name](seen))


# ---------------------------------------------------------------- what a sentence may ask


class Asked(msgspec.Struct, frozen=True):
    """A fact of the comment: its values, and how it is read."""

    domain: tuple[FactValue, ...]
    read: Callable[[About], FactValue]


_TRUTH = (True, False)


def _is(read: Callable[[About], bool]) -> Asked:
    return Asked(_TRUTH, read)


def _listed(analyte: str) -> Asked:
    return _is(lambda a: a.case.retest(analyte) is not None)


ASKED: dict[str, Asked] = {
    "subject": Asked((SRP, HMGCR), lambda a: a.one.analyte.value),
    "subject_source": Asked(("tier1", "quant", "blot", "tissue", "none"), lambda a: a.one.source.value),
    "subject_confirmed": _is(lambda a: a.one.confirmed),
    "subject_resolved": _is(lambda a: a.one.resolved),
    "subject_pending": _is(lambda a: a.one.pending),
    "subject_supported": _is(lambda a: a.one.confirmed or _concordant(a)),
    "concordant": _is(lambda a: _concordant(a)),
    "methods_two": _is(lambda a: len({one.method.name for one in _positive(a.one) if one.method}) > 1),
    "other_now": Asked(("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "NOT_TESTED"), lambda a: a.other.state.value),
    "other_discordant": _is(lambda a: a.other.discordant),
    "other_pending": _is(lambda a: a.other.pending),
    "retest_any": _is(lambda a: bool(a.case.verdict.retests)),
    "retest_subject": _is(lambda a: a.case.retest(a.one.analyte.value) is not None),
    "retest_subject_urgent": _is(lambda a: a.case.urgent(a.one.analyte.value)),
    "retest_other": _is(lambda a: a.case.retest(a.other.analyte.value) is not None),
    "retest_other_urgent": _is(lambda a: a.case.urgent(a.other.analyte.value)),
    "retest_srp": _listed(SRP),
    "retest_srp_urgent": _is(lambda a: a.case.urgent(SRP)),
    "retest_hmgcr": _listed(HMGCR),
    "retest_ck": _listed(CK),
    "retest_hep2": _listed(HEP2),
    "retest_others": _listed(OTHERS),
    "retest_others_urgent": _is(lambda a: a.case.urgent(OTHERS)),
    "same_sample": _is(lambda a: all(_serves(a.case, name) for name in _equivocal(a))),
    "other_same_sample": _is(lambda a: _serves(a.case, a.other.analyte.value)),
    "serious": _is(lambda a: _serious(a.case)),
    "posted_before": _is(lambda a: a.case.last_posted is not None),
    "changed_any": _is(lambda a: a.case.changed is not None),
    "retest_urgent": _is(lambda a: any(one.priority is Priority.URGENT for one in a.case.verdict.retests)),
    "retest_subject_new": _is(lambda a: _only_new(a.case.retest(a.one.analyte.value))),
    "subject_passive": _is(lambda a: a.one.passive),
    "other_passive": _is(lambda a: a.other.passive),
    "same_method": _is(lambda a: a.one.trend.same_method),
    "before_on_file": _is(lambda a: len(a.one.trend.results) > 1),
}


def _concordant(a: About) -> bool:
    return any(flag.code == "MSA_POS_CONCORDANT" for flag in a.case.verdict.flags)


def _serious(case: Case) -> bool:
    """Suspicion, a CK above 10 times the limit, or one that stays above 4 (C10.10)."""
    return bool(case.facts["suspicion"] or case.facts["ck"] == "HIGH" or case.facts["ck_persistent"])


# ---------------------------------------------------------------- what a sentence may name

SLOTS: dict[str, Callable[[About], str]] = {
    "antibody": lambda a: a.table["antibody"][a.one.analyte.value],
    "Antibody": lambda a: _capital(a.table["antibody"][a.one.analyte.value]),
    "other": lambda a: a.table["antibody"][a.other.analyte.value],
    "Other": lambda a: _capital(a.table["antibody"][a.other.analyte.value]),
    "Antibodies": lambda a: _capital(spoken.join([a.table["antibody"][name] for name in _equivocal(a)], a.table)),
    "method": lambda a: spoken.method(a.one.results[0], a.table) if a.one.results else "",
    "methods": lambda a: spoken.join(_named_methods(a), a.table),
    "grade": lambda a: _grade(a.one, a.table),
    "families": lambda a: _families(a.case.retest(a.one.analyte.value), a.table),
    "other_families": lambda a: _families(a.case.retest(a.other.analyte.value), a.table),
    "ck_comma": lambda a: a.table["ck_comma"][str(a.case.facts["ck"])],
    "ck_and": lambda a: a.table["ck_and"][str(a.case.facts["ck"])],
    "ck_word": lambda a: a.table["ck_word"][str(a.case.facts["ck"])],
    "ck_too": lambda a: _ck_too(a.case, a.table),
    "pattern": lambda a: a.table["pattern"].get(_pattern(a.case), ""),
    "codes": lambda a: _codes(a.case),
    "delay": lambda a: a.table["join"]["urgent"] if a.case.urgent(SRP) or a.case.urgent(HMGCR) else "",
    "next": lambda a: _next(a.case, a.table),
    "reactive_method": lambda a: spoken.method(_dispute(a.one)[0], a.table),
    "negative_method": lambda a: spoken.method(_dispute(a.one)[1], a.table),
    "sample": lambda a: _sample(*_dispute(a.one), a.table),
    "changed": lambda a: a.table["changed"][a.case.changed.analyte] if a.case.changed else "",
    "change": lambda a: a.table["change"][a.case.changed.code] if a.case.changed else "",
    "changed_date": lambda a: spoken.day(a.case.changed.day, a.table) if a.case.changed and a.case.changed.day else "",
    "posted_date": lambda a: spoken.day(a.case.last_posted.posted.date(), a.table) if a.case.last_posted else "",
    "Invalid": lambda a: _capital(a.table["antibody"][a.case.invalid.analyte]) if a.case.invalid else "",
    "specimen": lambda a: spoken.specimen(a.case.invalid.text, a.table) if a.case.invalid else "",
    "urgent": lambda a: _next(a.case, a.table, urgent_only=True),
    "now": lambda a: over_time.now(a.one, a.table),
    "before": lambda a: over_time.before(a.one.trend, a.table),
    "before_date": lambda a: over_time.before_day(a.one.trend, a.table),
    "before_method": lambda a: over_time.before_method(a.one.trend, a.table),
    "titre_way": lambda a: over_time.titre_way(a.one.trend, a.table),
    "ck_way": lambda a: over_time.ck_way(a.one.trend, a.table),
    "titre_date": lambda a: over_time.titre_day(a.one.trend, a.table),
    "ck_level": lambda a: over_time.ck_level(a.case.episode.course, a.table),
    "ck_from": lambda a: over_time.ck_from(a.case.episode.course, a.table),
    "ck_to": lambda a: over_time.ck_to(a.case.episode.course, a.table),
    "ck_from_date": lambda a: over_time.ck_from_day(a.case.episode.course, a.table),
    "reactive_list": lambda a: spoken.join(over_time.reactive(a.case.episode, a.table), a.table),
    "other_reactive": lambda a: spoken.join(over_time.reactive(a.case.episode, a.table, others_only=True), a.table),
    "new_subject": lambda a: _of(a, (a.one.analyte.value,)),
    "new_other": lambda a: _of(a, (a.other.analyte.value,)),
    "new_antibodies": lambda a: _of(a, (SRP, HMGCR)),
    "new_others": lambda a: _of(a, (OTHERS,)),
    "new_serology": lambda a: _of(a, (SRP, HMGCR, OTHERS)),
    "new_beside": lambda a: _beside_urgent(a),
}


# ---------------------------------------------------------------- the subject


def _equivocal(a: About) -> tuple[str, ...]:
    """The antibodies that are equivocal; where none is, the one the comment speaks of."""
    both = sorted((a.one, a.other), key=lambda one: (SRP, HMGCR).index(one.analyte.value))
    found = tuple(one.analyte.value for one in both if one.state.value == "EQUIVOCAL" and not one.known)
    return found or (a.one.analyte.value,)


def _named_methods(a: About) -> list[str]:
    """The methods behind a confirmed positive; of both antibodies where both are equivocal."""
    equivocal = [a.case.antibody(analyte) for analyte in _equivocal(a)]
    if len(equivocal) > 1:
        return list(dict.fromkeys(spoken.method(each.results[0], a.table) for each in equivocal if each.results))
    found = list(dict.fromkeys(spoken.method(result, a.table) for result in _positive(a.one)))
    return found if len(found) > 1 else ([spoken.method(a.one.results[0], a.table)] if a.one.results else [])


def _positive(one: AntibodyEvidence) -> list[Result]:
    return [result for result in one.results if reactive(result)]


def _grade(one: AntibodyEvidence, table: Mapping[str, Mapping[str, str]]) -> str:
    """The grade as the performing laboratory reported it: a blot `++` is positive, not strongly positive."""
    if not one.results or one.state.value == "NOT_TESTED":
        return ""
    result = one.results[0]
    if isinstance(result.value, Quantity) or one.state.value in ("NEG", "EQUIVOCAL"):
        return table["grade"][one.state.value]
    low = result.grade is Grade.POS_LOW
    return table["grade"]["POS_LOW" if low else "POSITIVE"]


def _dispute(one: AntibodyEvidence) -> tuple[Result | None, Result | None]:
    """The newest reactive and the newest negative result of an antibody."""
    graded = [(result, category(result)) for result in one.results]
    reactive = next((result for result, its in graded if its is not None and its.positive), None)
    negative = next((result for result, its in graded if its is Category.NEG), None)
    return reactive, negative


def _sample(reactive: Result | None, negative: Result | None, table: Mapping[str, Mapping[str, str]]) -> str:
    """Whether two methods saw one sample: the same specimen, or the same day of collection (C10.8)."""
    if reactive is None or negative is None:
        return ""
    one_tube = bool(reactive.specimen) and reactive.specimen == negative.specimen
    if one_tube or reactive.collected.day == negative.collected.day:
        return table["sample"]["same"]
    first, second = sorted((reactive.collected.day, negative.collected.day))
    return spoken.fill(table["sample"]["two"], {"first": spoken.day(first, table), "second": spoken.day(second, table)})


# ---------------------------------------------------------------- HEp-2, changes, specimens


def _pattern(case: Case) -> str:
    state = case.episode.hep2.state.value
    return "CYTO_UNSTATED" if state == "CYTO_OTHER" and not case.episode.hep2.pattern_stated else state


def _codes(case: Case) -> str:
    """AC codes, only where the laboratory sent them."""
    result = case.episode.hep2.result
    codes = result.hep2.codes if result is not None and result.hep2 is not None else ()
    return f" ({', '.join(codes)})" if codes else ""


# ---------------------------------------------------------------- next steps


def _next(case: Case, table: Mapping[str, Mapping[str, str]], *, urgent_only: bool = False) -> str:
    """The steps to name: every urgent one, and routine ones up to two in all (D2.6, C10.8)."""
    urgent = [one for one in case.verdict.retests if one.priority is Priority.URGENT]
    routine = [one for one in case.verdict.retests if one.priority is not Priority.URGENT][: max(0, 2 - len(urgent))]
    named = [(urgent, table["join"]["urgent"])] if urgent else []
    named += [(routine, "")] if routine and not urgent_only else []
    new = [_new_sample(case, group, table) for group, _delay in named]
    behind = ""
    if any(NEW_SPECIMEN in one.families for group, _delay in named for one in group):
        new = [""] * len(named)  # the specimen that is named serves them all
    elif len(named) > 1 and all(new):
        new, behind = [""] * len(named), table["new_sample"]["all"]
    sentences = [_suggested(case, *group, one, table) for group, one in zip(named, new, strict=True)]
    return _capital(table["join"]["semicolon"].join(sentences) + behind)


def _suggested(
    case: Case, group: Sequence[Retest], delay: str, new: str, table: Mapping[str, Mapping[str, str]]
) -> str:
    """The tests of a group, and the new specimen behind them."""
    steps = [_step(case, one, table) for one in group if not _only_new(one)]
    steps += [table["step"]["new"]] if any(NEW_SPECIMEN in one.families for one in group) else []
    slots = {"steps": spoken.join(steps, table), "delay": delay, "new": new}
    return spoken.fill(table["join"]["one" if len(steps) == 1 else "many"], slots)


def _step(case: Case, retest: Retest, table: Mapping[str, Mapping[str, str]]) -> str:
    steps = table["step"]
    if retest.analyte == CK and "enzymatic_diluted" in retest.families:
        return steps["CK_diluted"]
    if retest.analyte not in (SRP, HMGCR):
        return steps[retest.analyte]
    slots = {"families": _families(retest, table), "analyte": table["antibody"][retest.analyte]}
    return spoken.fill(steps[_kind(case, retest.analyte)], slots)


def _ck_too(case: Case, table: Mapping[str, Mapping[str, str]]) -> str:
    retest = case.retest(CK)
    if retest is None or retest.priority is not Priority.URGENT:
        return ""
    return spoken.fill(table["ck_too"]["urgent"], {"new": _new_sample(case, (retest,), table)})


def _kind(case: Case, analyte: str) -> str:
    """A first test; a confirmation; or, where the other antibody is reactive too, a check that says of which."""
    states = {name: case.antibody(name).state.value for name in (SRP, HMGCR)}
    if states.pop(analyte) == "NOT_TESTED":
        return "test"
    return "check" if set(states.values()) & {"EQUIVOCAL", "POS_LOW", "POS_STRONG"} else "confirm"


def _families(retest: Retest | None, table: Mapping[str, Mapping[str, str]]) -> str:
    """The methods offered; a new specimen only where there is none: beside them it is a step of its own."""
    if retest is None:
        return ""
    methods = [family for family in retest.families if family != NEW_SPECIMEN] or retest.families
    return spoken.join([table["family"][family] for family in methods], table, "or")


# ---------------------------------------------------------------- the sample of a next step


def _only_new(retest: Retest | None) -> bool:
    return retest is not None and retest.families == (NEW_SPECIMEN,)


def _serves(case: Case, analyte: str) -> bool:
    """A sample is on hand for a test of this analyte, and none of the rules asks for a new one (C10.40)."""
    retest = case.retest(analyte)
    asked_new = retest is not None and NEW_SPECIMEN in retest.families
    return not asked_new and on_hand(case.episode, analyte, case.policy)


def _new_sample(case: Case, retests: Iterable[Retest], table: Mapping[str, Mapping[str, str]]) -> str:
    """That a new sample is needed, where one of these tests has none on hand; not of what is a new specimen itself."""
    needed = any(not _only_new(one) and not _serves(case, one.analyte) for one in retests)
    return table["new_sample"]["needed"] if needed else ""


def _of(a: About, analytes: Iterable[str]) -> str:
    return _new_sample(a.case, [one for one in a.case.verdict.retests if one.analyte in analytes], a.table)


def _beside_urgent(a: About) -> str:
    """The same of the antibodies, behind {urgent}: not again where that asks for a new sample or a new specimen."""
    urgent = [one for one in a.case.verdict.retests if one.priority is Priority.URGENT]
    told = any(NEW_SPECIMEN in one.families for one in urgent) or _new_sample(a.case, urgent, a.table)
    return "" if told else _of(a, (SRP, HMGCR, OTHERS))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
