"""Messages that a person has to look at, as the pages of the workbench show them."""

from __future__ import annotations

import html
import re
from typing import Any

from web_parts import Bench, Browser
from worklist_parts import BLOT, FEED, obx, order, oru

from labbridge.model.people import Role
from labbridge.model.work import Feed
from tests.summed import summed

GOOD = oru("Q1", order("F1", obx(BLOT, "58")))
BAD = GOOD.replace(b"OBR|", b"OBX|", 1)
FAULTY = GOOD.replace(b"|F\r", b"|F|||20261\r")
WHY = {"why": "the sender asked"}


async def received(bench: Bench, *messages: bytes, feed: Feed = FEED) -> None:
    """Messages taken, whatever they were answered, and processed."""
    await bench.lab.receive(*messages, feed=feed)
    bench.lab.process()


async def parked(bench: Bench, raw: bytes, feed: Feed = FEED) -> None:
    """A message whose processing failed again and again."""
    await bench.lab.receive(raw, feed=feed)
    bench.lab.writer.submit(lambda c: c.execute("UPDATE work SET attempts = 9 WHERE state = 'kept'")).result()
    bench.lab.writer.submit(summed).result()
    bench.lab.process()


def senior(bench: Bench, login: str = "anna", **more: Any) -> Browser:
    return bench.signed_in(login, Role.SENIOR, **more)


def text_of(page: str) -> str:
    """The text a reader sees, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def edited_text(page: str) -> str:
    """What stands in the form of the repair."""
    found = re.search(r'<textarea id="edit-text"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def opened(browser: Browser, key: str = "M1") -> str:
    answer = browser.post(f"/messages/{key}/open", WHY)
    assert answer.status_code == 200
    return str(answer.text)


def repair(browser: Browser, change: Any, key: str = "M1", base: str = "") -> Any:
    """The text of the page, changed and sent."""
    page = opened(browser, key)
    sent = {"text": change(edited_text(page)), "base": base or hidden(page, "base"), "why": "OBR was named OBX"}
    return browser.post(f"/messages/{key}/edit", sent)


def approval(browser: Browser, key: str = "M1") -> dict[str, str]:
    page = opened(browser, key)
    return {"version": hidden(page, "version"), "digest": hidden(page, "digest"), "why": "read"}
