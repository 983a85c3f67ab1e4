"""The seeded bugs (reliability.md 2.3): the harness must find each of them, else it proves nothing.

One of the twelve named there, the watermark `id > last_id`, is looked for by tests/odbc. Beside the others stand a delivery
claimed without asking for its case's version, an answer credited to the newest delivery, and those of a store that is a
server and has several nodes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tests.faults import bugs
from tests.faults.outcome import Outcome, Row, Run
from tests.faults.table import ROWS


@dataclass(frozen=True)
class Bug:
    """A diff in bugs/, the row that finds it, and what it does."""

    name: str
    row: str
    says: str


BUGS = (
    Bug("ack-before-commit", "T-24", "the answer leaves before the commit"),
    Bug("synchronous-normal", "T-03", "the commit does not wait for the disk"),
    Bug("no-unique-key", "T-12", "the ledger has no unique key"),
    Bug("dedupe-by-control-id", "T-11", "the ledger knows a message by its MSH-10 alone"),
    Bug("msa2-ignored", "T-30", "any positive answer counts, whomever it names"),
    Bug("open-after-timeout", "T-30", "the line stays open after an answer that did not come"),
    Bug("lane-order-ignored", "T-33", "a message is claimed although an earlier one of its lane waits"),
    Bug("dropped-on-parse-error", "T-46", "what cannot be read is refused and not kept"),
    Bug("errors-replace", "T-46", "bytes that do not fit become U+FFFD"),
    Bug("claimed-without-version", "T-32", "a comment leaves although its case has a newer version"),
    Bug("newest-credited", "T-05", "an answer is credited to the newest delivery of all"),
    Bug("pauses-grow", "T-21", "a server that is away is looked for every 30 s at last"),
    Bug("claim-left", "T-22", "a delivery whose claim was not answered is left as if it were under way"),
    Bug("standby-not-awaited", "T-23", "commits do not wait for the standby"),
    Bug("unfenced", "T-06 N", "a node that was taken for lost goes on with what it had begun"),
    Bug("sends-after-sleep", "T-06 N", "a node that was taken for lost sends what it had claimed"),
    Bug("own-messages-read", "T-34", "our own comments are interpreted when they come back"),
)


def row(name: str) -> Row:
    return next(one for one in ROWS if one.id == name)


def hunt(bug: Bug, run: Run) -> Outcome:
    """The row that is to find it, on a copy of the product with the bug in it."""
    patched = bugs.applied(bug.name, run.folder / "product")
    look = row(bug.row).run
    assert look is not None
    return look(dataclasses.replace(run, patched=patched))
