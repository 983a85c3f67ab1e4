"""`labbridge init`: a configuration, the site's folder, the store and its first administrator; all of it, or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from labbridge import config_start, gate
from labbridge.config import Config, load
from labbridge.errors import CannotCreate, Refused
from labbridge.model.people import Role
from labbridge.processing import SystemClock
from labbridge.review import permissions
from labbridge.sources import shipped
from labbridge.stopped import acts_on
from labbridge.store import opening

FILE, PATTERN = "labbridge.toml", "site"
OF_A_STORE = ("", "-wal", "-shm", "-journal", ".lock")

Begun = Callable[[Callable[[], object]], object]
"""Is told how to take back what was made."""


class Admin(msgspec.Struct, frozen=True):
    """Who will make the other accounts. `secret`: the hash of the password."""

    login: str
    name: str
    secret: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`folder`: where the configuration goes; `data`: where the store and the site's folder go."""

    folder: Path
    data: Path
    start: config_start.Start


class Made(msgspec.Struct, frozen=True):
    """What is there now."""

    config: str
    site: str
    store: str
    admin: str
    workbench: str


def check(wanted: Wanted, login: str, name: str) -> None:
    """CannotCreate where something would be overwritten, Refused where there can be no such administrator (`login` empty:
    there is to be none): to be asked before a password is."""
    if login:
        permissions.check_account(login, name, (Role.ADMIN,))
    for path in (wanted.folder / FILE, wanted.data / PATTERN):
        if path.exists():
            raise CannotCreate(f"{path} is there already and is not overwritten; name another folder, or move it away")


def set_up(wanted: Wanted, admin: Admin | None) -> Made:
    """Make it all. `admin`: None where the store is another node's, which has one. CannotCreate, Refused, ConfigError,
    StoreRefused or StoreUnavailable: nothing is left of it then, but tables in a database."""
    site = wanted.data / PATTERN
    with _undone() as made:
        _folder(wanted.folder, made)
        _folder(wanted.data, made)
        site.mkdir()  # not where one came meanwhile: what is taken back is ours alone
        made(lambda: shutil.rmtree(site, ignore_errors=True))
        shutil.copytree(shipped() / "site", site, ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)
        fresh = wanted.folder / f".{FILE}.new"
        _write(fresh, config_start.text(wanted.start))
        made(lambda: fresh.unlink(missing_ok=True))
        config = load(fresh)
        gate.check(config, SystemClock().now())
        _store(config, admin, made)
        os.link(fresh, wanted.folder / FILE)  # a rename would take the place of one that came meanwhile
        fresh.unlink()
    return Made(
        config=str(wanted.folder / FILE),
        site=str(site),
        store=config.store.named,
        admin=admin.login if admin else "",
        workbench=f"http://{config.web.listen}" if config.web.listen else "",
    )


def _store(config: Config, admin: Admin | None, made: Begun) -> None:
    """The store, with an administrator in it; or, where it is another node's, a look whether it is there."""
    there = opening.present(config.store.url)
    if admin is None:
        if not there:
            raise Refused(
                f"{config.store.named}: there is no store yet to join; the first node's `labbridge init` makes it"
            )
        return
    if there:
        raise CannotCreate(
            f"{config.store.named}: there is a store already; a further node of it is made with --join, a store for tests"
            " has another name"
        )
    if config.store.file is not None:
        made(lambda: _remove(config.store.beside))
    with acts_on(config) as acts:
        account = {"act": "add", "name": admin.name, "roles": ["admin"], "feeds": "", "secret": admin.secret}
        answer = acts.perform({"command": "user", "keys": [admin.login], "as": admin.name, **account})
    if not answer["ok"]:
        raise Refused(str(answer["done"][0]["error"]))


def _remove(database: Path) -> None:
    for ending in OF_A_STORE:
        database.with_name(database.name + ending).unlink(missing_ok=True)


def _folder(path: Path, made: Begun) -> None:
    """Made for this account alone where it is not there: results of patients will lie below it."""
    for one in reversed([path, *path.parents]):
        if not one.is_dir():
            one.mkdir(mode=0o700)
            made(partial(_leave, one))


def _leave(folder: Path) -> None:
    with contextlib.suppress(OSError):  # something else came to lie in it
        folder.rmdir()


def _write(path: Path, text: str) -> None:
    """For this account alone: a password may come to stand in it."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def _undone() -> Iterator[Begun]:
    """What was begun is taken back, newest first, where the block fails."""
    with contextlib.ExitStack() as begun:
        try:
            yield begun.callback
        except OSError as fault:
            raise CannotCreate(f"{fault.filename}: {fault.strerror}; run it as who may write there") from fault
        else:
            begun.pop_all()


def printed(made: Made, format: str) -> str:
    """What there is now, and what comes next."""
    if format == "json":
        return json.dumps(msgspec.to_builtins(made))
    lines = [
        f"configuration  {made.config}",
        f"site's folder  {made.site}",
        f"store          {made.store}",
        *([f"administrator  {made.admin}"] if made.admin else []),
        "",
        f"Next: say in {made.config} who sends and where comments go, then",
        f"  labbridge doctor --config {made.config}",
        f"  labbridge serve --config {made.config}",
    ]
    if made.admin:
        who = "--name 'Anna Weber' --role scientist --feeds '*'"
        lines.append(f"  labbridge user add anna {who} --as NAME --config {made.config}")
    return "\n".join([*lines, *([f"The workbench will be at {made.workbench}"] if made.workbench else [])])
