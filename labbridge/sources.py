"""The files of mappings/ and of a site's own folder, read from disk for knowledge.build."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from labbridge.errors import Refused
from labbridge.interpret.on_hand import WINDOWS
from labbridge.interpret.vocabulary import check_figures, check_vocabulary
from labbridge.knowledge.build import Knowledge, build, version
from labbridge.knowledge.decisions import FlagRow, Rule
from labbridge.knowledge.documents import Fault, Source, counted, read_records, read_yaml
from labbridge.knowledge.items import items
from labbridge.knowledge.ordering import FILE, Services, read_orders
from labbridge.knowledge.pathway import Pathway, read_pathway
from labbridge.knowledge.policy import Policy, read_policy
from labbridge.knowledge.references import check_references
from labbridge.knowledge.tables import read_terminology
from labbridge.knowledge.terminology import AnalyteRow
from labbridge.model.items import Item
from labbridge.model.reference import AddOnWindow, Citation, PathwayEdge, PathwayNode, Reference, Rules, RuleText
from labbridge.model.values import Coding

_PACKAGE = Path(__file__).resolve().parent
KINDS = (".yaml", ".csv")
FLAGS, POLICY, CITATIONS, OWNER = "flags.yaml", "policy.yaml", "citations.yaml", "critical_owner"
HISTORY, CASES = "history", "cases"
NOT_OURS = ("schema", "site", HISTORY, CASES)


class KnowledgeError(Exception):
    """The knowledge has faults and must not be used; `faults` name file, line and repair. Exit code 78."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def shipped() -> Path:
    """The folder of the shipped mappings: inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / "mappings"
    return inside if inside.is_dir() else _PACKAGE.parent / "mappings"


def read_folder(folder: Path, site: bool = False) -> list[Source]:
    """Every knowledge file below a folder, by its name relative to it. KnowledgeError where it cannot be read."""
    if not folder.is_dir():
        raise KnowledgeError(
            [Fault(str(folder), 1, "There is no such folder.", "Name the folder of the knowledge files.")]
        )
    found, faults = [], []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix in KINDS and path.is_file() and name.parts[0] not in NOT_OURS:
            try:
                found.append(Source(name.as_posix(), path.read_text(encoding="utf-8"), site))
            except UnicodeDecodeError as error:
                line = error.object[: error.start].count(b"\n") + 1
                faults.append(Fault(name.as_posix(), line, "This is not UTF-8.", "Save the file as UTF-8."))
    if faults:
        raise KnowledgeError(faults)
    return found


def unfit(knowledge: Knowledge) -> list[Fault]:
    """What no table alone can show: rows that name what is not there, and would be silent or fail at a message."""
    of_figures = check_figures(knowledge.probabilities)
    return [*check_references(knowledge), *check_vocabulary(knowledge.decisions), *of_figures]


def load(site: str = "", folder: Path | None = None) -> Knowledge:
    """The knowledge in force: shipped, with a site's folder laid over it. KnowledgeError where there is any fault."""
    return understood(read_all(site, folder))


def read_all(site: str = "", folder: Path | None = None) -> list[Source]:
    """The files of the shipped knowledge and of a site's folder, as they are on the disk now."""
    return read_folder(folder or shipped()) + (read_folder(Path(site), site=True) if site else [])


def understood(sources: Sequence[Source]) -> Knowledge:
    """The knowledge of files that were read before. KnowledgeError where there is any fault."""
    knowledge, faults = build(sources)
    faults += unfit(knowledge)
    if faults:
        raise KnowledgeError(faults)
    return knowledge


def packed(texts: Sequence[Source]) -> bytes:
    """Files of knowledge, to be kept; `unpacked` gives them back."""
    return zlib.compress(msgspec.msgpack.encode(list(texts)), 9)


def unpacked(body: bytes) -> list[Source]:
    return msgspec.msgpack.decode(zlib.decompress(body), type=list[Source])


def comment_code(site: str) -> tuple[Coding, ...]:
    """The code our comments carry (outgoing.yaml, the site's over the shipped one)."""
    return comment_of(read_all(site))


def comment_of(texts: Sequence[Source]) -> tuple[Coding, ...]:
    """The same of files that were read before."""
    return read_terminology([one for one in texts if one.name == "outgoing.yaml"], []).comment


def services_of(texts: Sequence[Source]) -> Services:
    """What the LIS of the site calls each test that can be ordered (orders.yaml)."""
    return read_orders([one for one in texts if one.name == FILE], [])


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What of the knowledge is written to receivers: the code of our comments, what the LIS calls each test, what each flag
    means, and the names of the analytes."""

    comment: tuple[Coding, ...] = ()
    services: Services = {}
    meanings: dict[str, str] = {}
    analytes: dict[str, str] = {}


def words_of(texts: Sequence[Source]) -> Words:
    """The same of files that were read before."""
    named = read_records(texts, "analytes.yaml", AnalyteRow, [])
    return Words(
        comment=comment_of(texts),
        services=services_of(texts),
        meanings=meanings_of(texts),
        analytes={one.analyte.value: one.name for _row, one in named if not one.antigen},
    )


def meanings(site: str = "") -> dict[str, str]:
    """What each flag means, in a sentence for the worklist, without the rest of the knowledge."""
    return meanings_of(read_all(site))


def meanings_of(texts: Sequence[Source]) -> dict[str, str]:
    """The same of files that were read before."""
    return {one.id: one.meaning for _row, one in read_records(texts, FLAGS, FlagRow, [])}


def reference_of(texts: Sequence[Source]) -> Reference:
    """What a page shows of the pathway and of the policy, of files that were read before. What has a fault is left out."""
    policy = policy_of(texts)
    owner = policy.choices.get(OWNER)
    return Reference(_nodes(read_pathway(texts, [])), _windows(policy), owner.value if owner else "")


def called_here(texts: Sequence[Source]) -> bool:
    """Whether the telephone calls of critical results are recorded here and not in the LIS (policy `critical_owner`)."""
    owner = policy_of(texts).choices.get(OWNER)
    return owner is not None and owner.value == "labbridge"


def policy_of(texts: Sequence[Source]) -> Policy:
    """The numbers and choices of files that were read before, without the rest of the knowledge."""
    return read_policy([row for one in texts if one.name == POLICY for row in read_yaml(one, [])], [])


def _nodes(pathway: Pathway) -> tuple[PathwayNode, ...]:
    return tuple(
        PathwayNode(
            id=node.id,
            label=node.label,
            decision=node.decision,
            added=node.added,
            edges=tuple(
                PathwayEdge(node=one.node, label=one.label, inferred=one.inferred, added=one.added)
                for one in node.edges
            ),
            citations=node.citations,
        )
        for node in pathway.nodes.values()
    )


def _windows(policy: Policy) -> tuple[AddOnWindow, ...]:
    found = ((analyte, policy.numbers.get(id)) for analyte, id in WINDOWS.items())
    return tuple(
        AddOnWindow(
            analyte=analyte,
            days=int(one.value),
            tag=one.tag,
            source=one.source,
            reviewed=one.reviewed,
            note=one.note,
        )
        for analyte, one in found
        if one is not None
    )


# ---------------------------------------------------------------- what is signed


class ItemsOnDemand:
    """The items of the knowledge that lies on the disk now, made anew where a file has changed."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._kept: tuple[str, dict[str, Item]] = ("", {})
        self._before: tuple[str, dict[str, Item]] = ("", {})
        self._turn = Lock()

    def __call__(self) -> Mapping[str, Item]:
        """By key. Refused, with the first fault, where the files cannot be understood."""
        with self._turn:
            try:
                texts = read_all(self._site)
                if version(texts) != self._kept[0]:
                    understood(texts)
                    self._kept = version(texts), items(texts)
            except KnowledgeError as error:
                raise Refused(f"{counted(error.faults)} in the knowledge: {error.faults[0]}") from None
            return self._kept[1]

    def of(self, wanted: str, body: bytes) -> Mapping[str, Item]:
        """The items of a knowledge that was kept under this version; remembered, for it is mostly the one in force."""
        with self._turn:
            if wanted != self._before[0]:
                self._before = wanted, items(unpacked(body))
            return self._before[1]


# ---------------------------------------------------------------- rules in words


class RulesOnDemand:
    """The rules as they are on the disk, read when they are first asked for and kept: their words alone, not the knowledge
    they came from. Read again where other files are there by then than those that are asked about."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._kept: Rules | None = None
        self._turn = Lock()

    def __call__(self, wanted: str) -> Rules | None:
        """The rules here, of the knowledge version `wanted` where that is here; None where they cannot be read now."""
        with self._turn:
            if self._kept is None or self._kept.version != wanted:
                self._kept = self._read()
            return self._kept

    def _read(self) -> Rules | None:
        try:
            texts = read_all(self._site)
            if self._kept is not None and self._kept.version == version(texts):
                return self._kept
            return rules_of(understood(texts), texts)
        except (KnowledgeError, OSError):
            return None


def rules_of(knowledge: Knowledge, texts: Sequence[Source]) -> Rules:
    """The rules in force and the citations, of the files the knowledge was understood from."""
    rows = [row for one in texts if one.name == CITATIONS for row in read_yaml(one, [])]
    cited = [msgspec.convert(row.fields, Citation, strict=False) for row in rows]
    active = (one for one in knowledge.decisions.rules if one.status == "active")
    return Rules(
        version=knowledge.version,
        rules={one.id: _in_words(one) for one in active},
        citations={one.id: one for one in cited},
    )


def _in_words(rule: Rule) -> RuleText:
    return RuleText(
        id=rule.id,
        version=rule.version,
        why=rule.why,
        when={name: values if isinstance(values, tuple) else (values,) for name, values in rule.when.items()},
        on=rule.on,
        analytes=rule.analytes,
        about=rule.about,
        flags=tuple(code for entry in rule.then.flags for code in entry),
        retests=tuple(one.analyte for one in rule.then.retest),
        comments=tuple(one for one in (rule.then.comment, rule.then.beside or "") if one),
        citations=rule.citations,
        reviewed=rule.reviewed,
        authors=rule.authors,
        known_gaps=rule.known_gaps,
    )
