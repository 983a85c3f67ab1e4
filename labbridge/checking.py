"""`labbridge check` and `labbridge doctor`: what is wrong with the knowledge, and what this machine lacks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from labbridge import odbc_settings
from labbridge.certificates import SOON_S, Certificates
from labbridge.config import Config, ConfigError
from labbridge.control import ask
from labbridge.errors import StoreUnavailable
from labbridge.interpret.cases import check_cases
from labbridge.interpret.facts import REGISTRY
from labbridge.interpret.parity import check_parity, read_phrases
from labbridge.interpret.style import check_style
from labbridge.knowledge.build import build
from labbridge.knowledge.decisions import Decisions
from labbridge.knowledge.documents import Fault, Source, counted
from labbridge.knowledge.lock import Entry, check_lock, entries, raised_in_vain, written
from labbridge.knowledge.prove import prove, read_claims
from labbridge.sources import KnowledgeError, load, read_folder, shipped, unfit
from labbridge.store import opening
from labbridge.store.connection import StoreRefused
from labbridge.store.sqlite import status

LOCK = "versions.lock.json"


def check(
    folder: Path | None, site: str, write_lock: bool, *, say: Callable[[str], None] = lambda line: None
) -> tuple[list[Fault], str]:
    """Every fault of the shipped knowledge (or of a folder), a site's laid over it; and a line that sums it up. Where
    there is no other fault the rules are proved; `say` gets the proof as a line."""
    base = folder or shipped()
    try:
        texts = [*read_folder(base), *(read_folder(Path(site), site=True) if site else [])]
    except KnowledgeError as error:
        return error.faults, counted(error.faults)
    return check_texts(texts, base, write_lock=write_lock, say=say)


def check_texts(
    texts: Sequence[Source],
    base: Path | None = None,
    *,
    write_lock: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[list[Fault], str]:
    """The same of texts that were read before. `base`: the folder of the lock, the shipped one without."""
    ours, theirs = ([one for one in texts if one.site is site] for site in (False, True))
    knowledge, faults = build([*ours, *theirs])
    decisions = knowledge.decisions
    phrases = read_phrases([*ours, *theirs], faults)
    spoken = check_parity(knowledge, phrases, complete=not theirs)
    faults += unfit(knowledge) or [*check_cases(decisions), *check_style(decisions), *spoken]
    faults += [] if faults else _proved(decisions, [*ours, *theirs], say)
    shipped_entries = entries(build(ours)[0].decisions) if theirs else entries(decisions)
    faults += _locked((base or shipped()) / LOCK, shipped_entries, write_lock and not faults and not theirs)
    faults += raised_in_vain([*ours, *theirs], ours, "ships")
    rules = sum(rule.status == "active" for rule in decisions.rules)
    summary = f"{len(ours) + len(theirs)} files, {rules} active rules, {knowledge.version}: {counted(faults)}"
    return faults, summary


def _proved(decisions: Decisions, sources: Sequence[Source], say: Callable[[str], None]) -> list[Fault]:
    """Where the properties of clinical.md C9 do not hold of the rules."""
    faults: list[Fault] = []
    claims = read_claims(sources, faults)
    if faults:
        return faults
    began = perf_counter()
    proof = prove(decisions, claims, {name: fact.domain for name, fact in REGISTRY.items()})
    say(f"{'not proved' if proof.faults else 'proved'}: {proof}; {perf_counter() - began:.1f} s")
    return list(proof.faults)


def _locked(lock: Path, found: dict[str, Entry], write: bool) -> list[Fault]:
    """What the lock says of these rows; with `write`, after new and raised versions were written to it."""
    text = lock.read_text(encoding="utf-8") if lock.is_file() else "{}"
    faults = check_lock(found, text)
    if not write or any(fault.message.startswith("This is no lock") for fault in faults):
        return faults
    lock.write_text(written(found, text), encoding="utf-8")
    return check_lock(found, lock.read_text(encoding="utf-8"))


def examine(config: Config) -> tuple[list[str], bool]:
    """One line for each thing looked at, with its repair where it is missing; and whether all is well."""
    lines = [_line(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer")]
    if config.store.file:
        lines.append(_line(True, status().sentence, ""))
    try:
        knowledge = load(config.knowledge.site)
        lines.append(_line(True, f"knowledge {knowledge.version[:19]}", ""))
        lines += _in_force(config, knowledge.version)
    except KnowledgeError as fault:
        lines.append(_line(False, "knowledge", f"{counted(fault.faults)}; run `labbridge check`"))
    lines += _store_lines(config)
    lines += _certificate_lines(config)
    lines += _odbc_lines(config)
    lines.append(
        _line(bool(config.feeds), f"{len(config.feeds)} feeds configured", "add [feeds.NAME] to the configuration")
    )
    lines.append(_line(bool(config.receivers), f"{len(config.receivers)} receivers configured", "add [receivers.NAME]"))
    return lines, all(line.startswith("ok") for line in lines)


def _in_force(config: Config, version: str) -> list[str]:
    """Whether a service that runs on this store works by what lies on the disk; nothing where none runs."""
    answer = ask(config.store.beside, {"command": "knowledge"}) or {}
    working = str(answer.get("in_force", ""))
    if not working:
        return []
    text = f"the running service works by {working[:19]}"
    return [_line(working == version, text, "the files have changed since; run `labbridge reload`")]


def _store_lines(config: Config) -> list[str]:
    file = config.store.file
    if file is None:
        folder = _writable(
            config.store.beside, "the folder of the control socket", "change its owner, or [store] folder"
        )
        return [folder, _server_line(config.store.url)]
    folder = _writable(file, "the store's folder", "change its owner, or [store] url")
    usage = shutil.disk_usage(_existing(file))
    room = usage.free >= min(config.limits.disk_free_bytes, usage.total // 20)
    text = f"{usage.free // 2**20} MiB free for the store"
    return [folder, _line(room, text, "make room: below the mark nothing is taken")]


def _writable(path: Path, name: str, repair: str) -> str:
    try:
        probe = _existing(path) / ".labbridge-probe"
        probe.write_bytes(b"")
        probe.unlink()
        writable = True
    except OSError:
        writable = False
    return _line(writable, f"{name} can be written", repair)


def _existing(path: Path) -> Path:
    """The folder of a file, or the nearest above it that is there."""
    folder = path.resolve().parent
    while not folder.exists():
        folder = folder.parent
    return folder


def _server_line(url: str) -> str:
    try:
        return _line(True, opening.server_of(url), "")
    except (StoreRefused, StoreUnavailable) as fault:
        return _line(False, "the store", str(fault))


def _certificate_lines(config: Config) -> list[str]:
    """What TLS rests on, and for how long; nothing where it is not configured."""
    from labbridge.processing import SystemClock  # only here: it brings the whole story with it

    try:
        ends = Certificates(config, SystemClock()).expiries()
    except ConfigError as fault:
        return [
            _line(False, place, repair) for place, _, repair in (one.partition(": ") for one in str(fault).split("\n"))
        ]
    return [
        _line(left > SOON_S, f"{key} for {left // 86400:.0f} more days", "put a renewed one there")
        for key, left in ends.items()
    ]


def _odbc_lines(config: Config) -> list[str]:
    """Whether views and tables could be reached from here; nothing where none is configured."""
    faults = list(odbc_settings.faults(config))
    found = [_line(False, place, repair) for place, _, repair in (one.partition(": ") for one in faults)]
    reached = [f"{key}.odbc can be loaded" for key, _section in odbc_settings.sections(config)]
    return found or [_line(True, one, "") for one in reached]


def _line(sound: bool, text: str, repair: str) -> str:
    return f"ok       {text}" if sound else f"missing  {text}: {repair}"
