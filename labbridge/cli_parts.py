"""What the commands share: options, the configuration, an act on a running or stopped service, a reading connection."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

ConfigPath = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="text for people, json for programs.")]
Name = Annotated[str, typer.Option("--as", help="Who acts; signed and audited.")]

NEEDS_A_PERSON, WRONG_USE, UNAVAILABLE, CANNOT_CREATE, CONFIGURATION = 1, 2, 69, 73, 78
EXITS: dict[int, str] = {
    0: "done",
    NEEDS_A_PERSON: "done, and something needs a person: a hold, a failed case, a message refused, an act refused",
    WRONG_USE: "the command was not given as it has to be, or names a file that is not there",
    UNAVAILABLE: "the store or a port cannot be used",
    CANNOT_CREATE: "a file could not be written",
    75: "`serve` was told twice to stop and ended at once; what was in hand is taken up at the next start",
    CONFIGURATION: "the configuration, the knowledge or the store is not as it has to be",
}
"""What a command ends with, and what it means; the numbers above 2 are those of sysexits."""
DEFAULT_CONFIG = Path("labbridge.toml")


def fail(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    sys.exit(code)


def typed_password(otherwise: str) -> str:
    """A password that is asked for twice. `otherwise`: the option that gives it where there is no terminal."""
    if not sys.stdin.isatty():
        fail(f"There is no terminal to ask for a password; give it with {otherwise}", WRONG_USE)
    given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return given


def load_config(path: Path | None) -> Any:
    from labbridge.config import load

    return load(path or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None))


def act(path: Path | None, request: dict[str, Any], format: str) -> None:
    """Perform an act, and say what came of it."""
    from labbridge import show

    answer = asked(path, request)
    typer.echo(show.acted(answer, format))
    raise typer.Exit(0 if answer.get("ok") else NEEDS_A_PERSON)


def asked(path: Path | None, request: dict[str, Any]) -> dict[str, Any]:
    """What an act came to, through the running service, or on the store itself when none runs."""
    from labbridge.control import ask
    from labbridge.stopped import acts_on

    config = load_config(path)
    answer = ask(config.store.beside, request)
    if answer is None:
        with acts_on(config) as acts:
            answer = acts.perform(request)
    return answer


def reading(path: Path | None) -> AbstractContextManager[Any]:
    """A read-only connection to the store, service running or not."""
    from labbridge.store import opening

    store = load_config(path).store
    if not opening.present(store.url):
        fail(f"{store.named}: there is no store yet; `labbridge serve` makes one", NEEDS_A_PERSON)
    return closing(opening.reader(store.url))
