"""Every target by its name, in the order they are run."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import (
    answers,
    echoed,
    escaping,
    fhir,
    framing,
    knowledge,
    large,
    order_answers,
    ordering,
    reading,
    receiving,
    reports,
    times,
    values,
    writing,
)

MODULES = (
    framing, reading, large, receiving, reports, escaping, writing, answers, values, times, knowledge, echoed, ordering,
    order_answers, fhir,
)  # fmt: skip
TARGETS: dict[str, Target] = {module.TARGET.name: module.TARGET for module in MODULES}
