"""What stands around the decision on a case's page: its head, why it is here, its specimens, the pathway, cases like it."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from labbridge.model.release import SENTENCES
from labbridge.model.retests import CAUSES, WITHHELD
from labbridge.model.work import Case, HeldResults
from labbridge.review import calling
from labbridge.web import asking, rendering
from labbridge.web.parts import Parts
from labbridge.web.views.head import head
from labbridge.web.views.matrix import matrix
from labbridge.web.views.pathway import drawing, said
from labbridge.web.views.specimen import tubes
from labbridge.web.views.why import reasons
from labbridge.web.visits import Visit


def around(request: Request, case: Case, held: HeldResults) -> dict[str, Any]:
    """What the templates of the case's evidence, head, reasons, specimens, pathway and similar cases are given. Asks the
    store seven statements at most."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    language = rendering.language_of(request, visit)
    now, evidence = parts.clock.now(), matrix(held.results, case.outcome)
    with parts.cases() as store:
        about = store.about(case)
        opened = store.opened([case.key], now - parts.ages.idle)
        past = store.alike(case, asking.sites(visit.person))
        calls = store.calls(case.key) if calling.critical(case.outcome) else []
        remarks, looked_at = store.remarks(case.key), store.looked_at(case)
        retests = store.retests(case)
    others = [name for login, name in opened.get(case.key, []) if login != visit.person.login]
    proposed = frozenset(one.analyte for one in case.outcome.retests)
    return {
        "evidence": evidence,
        "head": head(case, about, evidence.entries, held.context, others=others, now=now),
        "reasons": reasons(case.outcome, evidence, now),
        "tubes": tubes(evidence.entries, parts.reference.windows, proposed, now),
        "pathway": drawing(
            said(parts.reference.pathway, lambda text: rendering.translated(language, text)), case.outcome.pathway
        ),
        "past": past,
        "critical": bool(calling.critical(case.outcome)),
        "calls": calls,
        "call_of_lis": calling.OF_THE_LIS if parts.reference.critical_owner == "lis" else "",
        "remarks": remarks,
        "looked_at": looked_at,
        "retests": retests,
        "withheld": WITHHELD,
        "causes": CAUSES,
        "refusals": [SENTENCES[one] for one in looked_at.refusals] if looked_at else [],
    }
