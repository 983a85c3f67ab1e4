"""The certificates in force: changed files are found and taken, wrong ones leave what was there, and both are counted."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tls_files import Authority, today

from labbridge.certificates import Certificates
from labbridge.config import Config, ConfigError, load
from labbridge.observe import logs

FEED, RECEIVER = "feeds.a.tls", "receivers.l.tls"


class Clock:
    """Today, and what a test adds to it."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return today() + self.later


class Site:
    """A feed and a receiver with TLS, and their files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority(folder)
        self.feed, self.receiver = self.authority.issue("feed"), self.authority.issue("receiver")
        self.clock = Clock()

    def config(self) -> Config:
        path = self.folder / "labbridge.toml"
        path.write_text(
            f"[feeds.a.tls]\n{self.feed.toml()}[feeds.plain]\nlisten = '127.0.0.1:2576'\n"
            f"[receivers.l]\naddress = 'h:1'\n[receivers.l.tls]\nca = '{self.authority.file}'\n{self.receiver.toml()}",
            encoding="utf-8",
        )
        return load(path)

    def certificates(self) -> Certificates:
        return Certificates(self.config(), self.clock)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_has_no_tls_has_no_context(site: Site) -> None:
    found = site.certificates()
    assert found.context("feeds.plain.tls") is None
    assert isinstance(found.context(FEED), ssl.SSLContext)


def test_every_section_with_a_wrong_file_has_its_line(site: Site) -> None:
    config = site.config()
    site.feed.key.unlink()
    site.authority.file.write_bytes(b"")
    with pytest.raises(ConfigError) as caught:
        Certificates(config, site.clock)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [f"{FEED}.key", f"{RECEIVER}.ca"]


async def test_files_that_did_not_change_are_left_alone(site: Site) -> None:
    found = site.certificates()
    before = found.context(FEED)
    renewed = await found.renew()
    assert (renewed.taken, renewed.faults, dict(found.reloads)) == ([], [], {})
    assert found.context(FEED) is before


async def test_a_renewed_certificate_is_taken_and_handed_on(site: Site) -> None:
    found = site.certificates()
    given: list[ssl.SSLContext] = []
    before, other = found.context(FEED, given.append), found.context(RECEIVER)
    site.feed.replace(site.authority.issue("renewed", ends=timedelta(days=300)))
    renewed = await found.renew()
    assert (renewed.taken, renewed.faults) == ([FEED], [])
    assert given == [found.context(FEED)]
    assert given[0] is not before
    assert found.context(RECEIVER) is other
    assert found.reloads == {(FEED, "taken"): 1}
    assert found.expiries()[f"{FEED}.certificate"] > 299 * 86400


async def test_what_cannot_be_loaded_leaves_the_old_one_in_force(site: Site) -> None:
    out = io.StringIO()
    logs.configure(json=True, stream=out)
    found = site.certificates()
    given: list[ssl.SSLContext] = []
    before, left = found.context(RECEIVER, given.append), found.expiries()[f"{RECEIVER}.certificate"]
    site.receiver.replace(site.authority.issue("expired", ends=timedelta(minutes=-1)))
    renewed = await found.renew()
    assert renewed.taken == []
    assert [fault.split(" expired")[0] for fault in renewed.faults] == [
        f"{RECEIVER}.certificate: {site.receiver.certificate}:"
    ]
    assert (found.context(RECEIVER), given) == (before, [])
    assert found.expiries()[f"{RECEIVER}.certificate"] == pytest.approx(left, abs=60)
    assert found.reloads == {(RECEIVER, "refused"): 1}
    (line,) = [json.loads(one) for one in out.getvalue().splitlines()]
    assert (line["event"], line["level"], line["receiver"]) == ("certificate_refused", "error", "l")


async def test_a_wrong_file_is_told_once_and_the_right_one_taken_when_it_comes(site: Site) -> None:
    """A renewal is seen half written: the certificate is there, its key is not."""
    found = site.certificates()
    new = site.authority.issue("new")
    site.feed.certificate.write_bytes(new.certificate.read_bytes())
    assert "does not belong" in (await found.renew()).faults[0]
    assert (await found.renew()).faults == []
    site.feed.key.write_bytes(new.key.read_bytes())
    assert (await found.renew()).taken == [FEED]
    assert found.reloads == {(FEED, "refused"): 1, (FEED, "taken"): 1}


async def test_a_file_that_is_gone_for_a_while_changes_nothing(site: Site) -> None:
    found = site.certificates()
    before, text = found.context(FEED), site.feed.key.read_bytes()
    site.feed.key.unlink()
    assert len((await found.renew()).faults) == 1
    site.feed.key.write_bytes(text)
    assert (await found.renew()).taken == [FEED]
    assert found.context(FEED) is not before


async def test_the_files_are_looked_at_without_being_told(site: Site) -> None:
    found = site.certificates()
    taken = asyncio.Event()
    found.context(FEED, lambda context: taken.set())
    task = asyncio.create_task(found.watch(0.01))
    site.feed.replace(site.authority.issue("renewed"))
    async with asyncio.timeout(20):
        await taken.wait()
    task.cancel()


async def test_two_looks_at_once_take_a_change_once(site: Site) -> None:
    found = site.certificates()
    site.feed.replace(site.authority.issue("renewed"))
    both = await asyncio.gather(found.renew(), found.renew())
    assert sorted(len(one.taken) for one in both) == [0, 1]


def test_what_ends_soon_is_a_warning(site: Site) -> None:
    out = io.StringIO()
    found = site.certificates()
    logs.configure(json=True, stream=out)
    found.warn()
    assert out.getvalue() == ""
    site.clock.later = timedelta(days=10)
    found.warn()
    lines = [json.loads(one) for one in out.getvalue().splitlines()]
    assert [(one["event"], one.get("feed", one.get("receiver"))) for one in lines] == [
        ("certificate_expires", "a"),
        ("certificate_expires", "l"),
    ]
    site.clock.later = timedelta(days=31)
    assert found.expiries()[f"{FEED}.certificate"] < 0
