"""One frozen Knowledge from the texts of mappings/, shipped files first and a site's files after them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from labbridge.knowledge.decisions import Decisions, read_decisions
from labbridge.knowledge.documents import Fault, Source, read_yaml
from labbridge.knowledge.ordering import Services, check_orders, read_orders
from labbridge.knowledge.policy import Policy, read_policy
from labbridge.knowledge.probabilities import Probabilities, read_probabilities
from labbridge.knowledge.release import ReleaseRow, check_release, read_release
from labbridge.knowledge.tables import read_terminology
from labbridge.knowledge.terminology import Terminology


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """All that the service knows. `version` is the hash of every file it was built from: `sha256:...`."""

    version: str
    terminology: Terminology
    policy: Policy
    decisions: Decisions
    releases: dict[str, ReleaseRow] = {}
    services: Services = {}
    probabilities: Probabilities = Probabilities()


def build(sources: Sequence[Source]) -> tuple[Knowledge, list[Fault]]:
    """The knowledge of these files and every fault in them. With faults it must not be used."""
    faults: list[Fault] = []
    ordered = sorted(sources, key=lambda source: (source.site, source.name))
    policy = read_policy((row for s in ordered if s.name == "policy.yaml" for row in read_yaml(s, faults)), faults)
    knowledge = Knowledge(
        version=version(ordered),
        terminology=read_terminology(ordered, faults),
        policy=policy,
        decisions=read_decisions(ordered, faults),
        releases=read_release(ordered, faults),
        services=read_orders(ordered, faults),
        probabilities=read_probabilities(ordered, faults),
    )
    faults += check_release(ordered, knowledge.decisions, knowledge.terminology)
    faults += check_orders(ordered, knowledge.decisions)
    return knowledge, faults


def version(sources: Sequence[Source]) -> str:
    """The same for the same files in any order; another for any other byte."""
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda source: (source.site, source.name)):
        for part in (str(source.site), source.name, source.text):
            digest.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return f"sha256:{digest.hexdigest()}"
