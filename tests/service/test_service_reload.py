"""New mappings in a running service, without a restart: proven first, whole or not at all; messages go on meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from service_parts import SAMPLES, Service, sample, sender, until

from labbridge.sources import shipped

RULE = "srp-strong-hep2-negative-ck-high"
NUMBER = "- {{id: ck_high_above, value: {value}, unit: x upper limit, tag: CONVENTION, source: our validation}}\n"


class Site:
    """A running service with a site folder of its own."""

    def __init__(self, service: Service) -> None:
        self.service, self.folder = service, service.folder / "site"
        shutil.copytree(SAMPLES / "site", self.folder)
        text = service.config.read_text(encoding="utf-8").replace(str(SAMPLES / "site"), str(self.folder))
        service.config.write_text(text, encoding="utf-8")
        self._patients = 0
        service.start(stub=False)

    def lay(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def send(self) -> str:
        """CK and serology of one more patient; the patient."""
        self._patients += 1
        patient = f"PR{self._patients:04}"
        with sender(self.service) as line:
            for name in ("1a-ck", "1b-serology"):
                message = sample(f"02-srp-hep2-negative/{name}.hl7").replace(b"PT1002", patient.encode())
                answer = line.send(message.replace(b"|S200", b"|%s" % patient.encode()))
                assert answer is not None
                assert answer.code == "AA"
        return patient

    def judged(self, patient: str) -> dict[str, Any]:
        """What was drafted of a patient, with `version`, the knowledge of the draft, beside it."""
        until(lambda: self.read("SELECT count(*) FROM work WHERE state = 'kept'") == [(0,)])
        (case,) = [
            one for one in self.service.json("show", "--limit", "500") if one["outcome"]["patient"]["id"] == patient
        ]
        ((version,),) = self.read(
            'SELECT knowledge FROM drafts WHERE "case" = ? AND version = ?', int(case["key"][1:]), case["version"]
        )
        found: dict[str, Any] = case["outcome"]
        assert found["knowledge"] == version
        return found

    def read(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        store = sqlite3.connect(f"file:{self.service.folder / 'store.db'}?mode=ro", uri=True)
        try:
            return store.execute(sql, params).fetchall()
        finally:
            store.close()

    def reload(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "labbridge.cli", "reload", *words, "--config", str(self.service.config)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def audited(self) -> list[tuple[Any, ...]]:
        return self.read("SELECT actor, action, detail FROM audit WHERE subject = 'knowledge' ORDER BY id")

    def scraped(self) -> str:
        with urllib.request.urlopen(self.service.url("metrics"), timeout=10) as answer:
            found: str = answer.read().decode()
            return found

    def worker(self) -> int:
        """The processing process."""
        assert self.service.process is not None
        for task in Path(f"/proc/{self.service.process.pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                words = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"resource_tracker" not in words:
                    return int(child)
        raise AssertionError("no processing process")


@pytest.fixture
def site(own: Service) -> Site:
    return Site(own)


def severities(outcome: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {flag["code"]: (flag["severity"], flag["rule"]) for flag in outcome["flags"]}


def raised_rule(severity: str) -> str:
    """The shipped rule as a site's own: another severity, under a raised version."""
    rules = yaml.safe_load((shipped() / "rules" / "g2-srp-strong.yaml").read_text(encoding="utf-8"))
    (rule,) = [one for one in rules if one["id"] == RULE]
    rule["version"] += 90
    rule["then"]["flags"] = [{"HEP2_NEG_MSA_POS": severity}]
    return yaml.safe_dump([rule], sort_keys=False)


def test_a_rule_of_the_site_comes_into_force_while_messages_go_on(site: Site) -> None:
    before = site.judged(site.send())
    assert severities(before)["HEP2_NEG_MSA_POS"][0] == "major"
    site.lay("rules/own.yaml", raised_rule("minor"))
    site.lay("policy.yaml", NUMBER.format(value=50))

    asked = site.reload("--as", "Alex Smith")
    meanwhile = [site.send()]
    while asked.poll() is None:
        meanwhile.append(site.send())  # each of them is acknowledged
        time.sleep(0.1)
    said, _errors = asked.communicate()
    after = site.judged(site.send())

    assert asked.returncode == 0
    assert said == f"In force: {after['knowledge']} (before: {before['knowledge']})\n"
    severity, rule = severities(after)["HEP2_NEG_MSA_POS"]
    assert (severity, int(rule.partition("@")[2]) > 90, after["states"]["CK"]) == ("minor", True, "MOD")
    assert before["states"]["CK"] == "HIGH"
    assert site.audited() == [
        ("Alex Smith", "reload accepted", f"from {before['knowledge']} to {after['knowledge']}"),
    ]
    assert len(site.service.json("show", "--limit", "500")) == len(meanwhile) + 2
    ((moment, place),) = site.read("SELECT at, id FROM audit WHERE action = 'reload accepted'")
    drafted = site.read("SELECT detail, at FROM audit WHERE action = 'drafted' AND id < ? ORDER BY id", place)
    assert len(drafted) > 2  # more than the first patient's: drafting went on while the new files were proven
    assert drafted[-1][1] <= moment
    versions = [version for (version,) in site.read("SELECT detail FROM audit WHERE action = 'drafted' ORDER BY id")]
    changed = versions.index(after["knowledge"])
    assert set(versions[:changed]) == {before["knowledge"]}
    assert set(versions[changed:]) == {after["knowledge"]}  # one after the other, never both at once
    assert f'ruleset_hash="{after["knowledge"]}"' in site.scraped()
    assert 'labbridge_knowledge_reloads_total{outcome="accepted"} 1.0' in site.scraped()


def test_a_faulty_edit_is_refused_with_its_place_and_nothing_changes(site: Site) -> None:
    before = site.judged(site.send())
    site.lay("policy.yaml", "# ours\n" + NUMBER.format(value=50).replace("ck_high_above", "ck_high_abov"))
    site.lay("rules/own.yaml", raised_rule("minor").replace("HEP2_NEG_MSA_POS", "HEP2_NEG"))

    asked = site.reload("--as", "Alex Smith")
    meanwhile = site.send()
    said, errors = asked.communicate()
    assert asked.returncode == 1
    assert said.endswith(f"in force stays {before['knowledge']}\n")
    assert "policy.yaml:2: No number is called ck_high_abov. Use an id of the shipped policy.yaml." in errors
    assert any(line.startswith("rules/own.yaml:1: ") and "HEP2_NEG" in line for line in errors.splitlines())
    assert site.judged(meanwhile)["knowledge"] == before["knowledge"]

    assert site.service.process is not None
    site.service.process.send_signal(signal.SIGHUP)
    until(lambda: len(site.audited()) == 2)
    (first, second) = site.audited()
    assert [first[:2], second[:2]] == [("Alex Smith", "reload refused"), ("SIGHUP", "reload refused")]
    assert before["knowledge"] in first[2]
    log = site.service.log()
    assert log.count('"place": "policy.yaml:2"') == 2
    assert 'labbridge_knowledge_reloads_total{outcome="refused"} 2.0' in site.scraped()
    for word in ("NOVAK", "PR0001", "ck_high_abov", "Alex"):
        assert word not in log

    os.kill(site.worker(), signal.SIGKILL)  # the next one must not read what was refused
    after = site.judged(site.send())
    assert severities(after) == severities(before)
    assert after["knowledge"] == before["knowledge"]


def test_a_signal_does_the_same_and_two_at_once_follow_each_other(site: Site) -> None:
    before = site.judged(site.send())
    assert site.service.process is not None
    site.lay("policy.yaml", NUMBER.format(value=50))
    site.service.process.send_signal(signal.SIGHUP)
    until(lambda: "knowledge_taken" in site.service.log())
    signalled = site.judged(site.send())
    assert (before["states"]["CK"], signalled["states"]["CK"]) == ("HIGH", "MOD")
    assert site.worker() != site.service.process.pid

    site.lay("policy.yaml", NUMBER.format(value=60))
    both = [site.reload("--as", name) for name in ("Alex Smith", "Kim Jones")]
    said = sorted(asked.communicate()[0].partition(":")[0].partition(";")[0] for asked in both)
    assert [asked.returncode for asked in both] == [0, 0]
    assert said == ["In force", "Nothing has changed"]
    acts = site.audited()
    assert [action for _actor, action, _detail in acts] == ["reload accepted", "reload accepted", "reload unchanged"]
    assert acts[0][:2] == ("SIGHUP", "reload accepted")
    assert {actor for actor, _action, _detail in acts[1:]} == {"Alex Smith", "Kim Jones"}
    last = site.judged(site.send())["knowledge"]
    assert acts[1][2] == f"from {signalled['knowledge']} to {last}"

    found = site.service.run("doctor")
    assert f"ok       the running service works by {last[:19]}" in found.stdout
    site.lay("policy.yaml", NUMBER.format(value=70))
    assert "run `labbridge reload`" in site.service.run("doctor").stdout
    assert site.service.stop() == 0
    alone = site.service.run("reload")
    assert alone.returncode == 1
    assert "No service runs on this store" in alone.stderr
