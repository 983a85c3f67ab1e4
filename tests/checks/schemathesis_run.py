"""`python -m tests.checks.schemathesis_run`: schemathesis against the OpenAPI document of /fhir, on a real service: so many
calls, right and wrong ones of every address. None may be answered with 5xx; every 4xx is an OperationOutcome; every status
is one that the document names.

Prints calls and statuses; exit code 1 where anything failed. The suite has a short run of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.service.reading_parts import FHIR, Site, body_of

CALLS = 20_000
TOLD_EVERY = 500  # calls
TOLD = 20  # failures that are printed
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
SHARE = {"$interpret": 0.25}  # of the calls of another address: each takes milliseconds of interpretation


class Run:
    """The calls that were made, and what was wrong with their answers."""

    def __init__(self, site: Site, told_every: int = 0) -> None:
        self._told_every = told_every
        self._token, self._base = site.token(), site.base
        self._session = requests.Session()
        self.statuses: Counter[int] = Counter()
        self.failures: dict[str, str] = {}

    @property
    def calls(self) -> int:
        return self.statuses.total()

    def everything(self, document: dict[str, Any], calls: int, number: int) -> None:
        """So many calls at least, over all operations of the document."""
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=self._base)
        operations = [one.ok() for one in schema.get_all_operations()]
        for at, operation in enumerate(operations):
            for place, mode in enumerate(MODES):
                left = (len(operations) - at) * len(MODES) - place
                share = -(-(calls - self.calls) // left)
                share = max(1, int(share * SHARE.get(operation.path.strip("/"), 1)))
                self._operation(operation, mode, share, number)
        while self.calls < calls:  # where an address takes fewer different requests than its share
            for operation in operations:
                self._operation(operation, MODES[0], 200, number + self.calls)

    def _operation(self, operation: Any, mode: GenerationMode, count: int, number: int) -> None:
        strategy = operation.as_strategy(generation_mode=mode)

        @seed(number)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def each(case: Any) -> None:
            self._call(case)

        try:
            each()
        except Unsatisfiable:  # an address without a parameter or a body has no wrong request
            if mode is GenerationMode.POSITIVE:
                raise

    def _call(self, case: Any) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": FHIR}
        answer = case.call(base_url=self._base, session=self._session, headers=headers)
        self.statuses[answer.status_code] += 1
        if self._told_every and self.calls % self._told_every == 0:
            print(
                f"  {self.calls} calls: {dict(sorted(self.statuses.items()))}, {len(self.failures)} failures",
                flush=True,
            )
        fault = self._fault(case, answer)
        if fault:
            name = f"{case.method} {case.operation.path}: {fault}"
            self.failures.setdefault(name, case.as_curl_command().replace(self._token, "TOKEN"))

    def _fault(self, case: Any, answer: Any) -> str:
        status = answer.status_code
        if status >= 500:
            return f"{status}"
        documented = case.operation.definition.raw["responses"]
        if str(status) not in documented:
            return f"{status} is not in the document"
        if FHIR not in "".join(answer.headers.get("content-type", ())) and "openapi" not in case.operation.path:
            return f"{status} is no {FHIR}"
        body = json.loads(answer.content)
        if status >= 400 and not (body.get("resourceType") == "OperationOutcome" and body.get("issue")):
            return f"{status} is no OperationOutcome"
        return ""


def filled(site: Site) -> None:
    """Something to find."""
    site.send_hl7([f"08-corrected-after-comment/{one}.hl7" for one in ("1a-serology", "1b-ck")])
    for name in ("1a-ck", "1b-serology"):
        assert site.ask("POST", "/fhir", body_of(f"02-srp-hep2-negative/{name}.json")).status == 200
    site.service.settled()


def tried(folder: Path, calls: int, number: int) -> Run:
    """A run against a service of its own, told as it goes."""
    site = Site(folder)
    try:
        site.start()
        filled(site)
        run = Run(site, TOLD_EVERY)
        run.everything(site.get("openapi.json"), calls, number)
        assert site.ask("GET", "/fhir/metadata").status == 200
        if '"level": "error"' in site.service.log():
            run.failures["the log has errors"] = ""
        return run
    finally:
        site.service.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = tried(Path(folder), asked.calls, asked.seed)
    print(f"{run.calls} calls in {time.monotonic() - began:.0f} s, seed {asked.seed}")
    for status, count in sorted(run.statuses.items()):
        print(f"  {status}: {count}")
    print(f"{len(run.failures)} failures")
    for name, command in list(run.failures.items())[:TOLD]:
        print(f"  {name}\n    {command[:500]}")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
