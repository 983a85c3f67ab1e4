"""`labbridge user`: accounts of the workbench, and tokens of programs."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated, Any

import typer

from labbridge.cli_parts import NEEDS_A_PERSON, ConfigPath, Format, Name, act, asked, reading, typed_password

app = typer.Typer(no_args_is_help=True, help="Accounts of the workbench, and tokens of programs.")
Login = Annotated[str, typer.Argument(help="Small letters, digits, dots, dashes, underscores.")]
Subject = Annotated[str, typer.Option("--subject", help="The person's `sub` at the identity provider of [web.oidc].")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(
    login: Login,
    full_name: Annotated[str, typer.Option("--name", help="As it stands beside a signature.")],
    role: Annotated[
        list[str], typer.Option(help="viewer, scientist, senior, author, approver, integrator, admin, auditor.")
    ],
    name: Name,
    feeds: Annotated[str, typer.Option(help="Feeds of the person's sites, with spaces between; * for all.")] = "",
    password_stdin: FromInput = False,
    subject: Subject = "",
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Make an account; its password is asked for, or read from standard input. With --subject it has none."""
    secret = "" if subject else _hashed(password_stdin, login, full_name)
    more = {"act": "add", "name": full_name, "roles": role, "feeds": feeds, "secret": secret, "subject": subject}
    act(config, {"command": "user", "keys": [login], "as": name, **more}, format)


@app.command()
def password(
    login: Login, name: Name, password_stdin: FromInput = False, config: ConfigPath = None, format: Format = "text"
) -> None:
    """Set another password; every sign-in of the account ends."""
    _act(config, format, login, name, act="password", secret=_hashed(password_stdin, login))


@app.command()
def link(login: Login, subject: Subject, name: Name, config: ConfigPath = None, format: Format = "text") -> None:
    """Let the identity provider sign an account in from now on; its password ends."""
    _act(config, format, login, name, act="link", subject=subject)


@app.command("close")
def close(login: Login, name: Name, config: ConfigPath = None, format: Format = "text") -> None:
    """Close an account; every sign-in of it ends. What it signed keeps its name."""
    _act(config, format, login, name, act="close")


@app.command("open")
def reopen(login: Login, name: Name, config: ConfigPath = None, format: Format = "text") -> None:
    """Open a closed account again."""
    _act(config, format, login, name, act="open")


@app.command()
def token(
    about: Annotated[str, typer.Argument(help="What the program is called.")],
    scope: Annotated[
        list[str], typer.Option(help="ingest, metrics, or one of SMART, as system/Observation.rs; may be given again.")
    ],
    name: Name,
    days: Annotated[int, typer.Option(help="How long it is valid, 365 at most.")] = 365,
    feed: Annotated[
        list[str] | None,
        typer.Option(help="Feed of what it sends or reads; again for several, * for all; none: the only one."),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Make a token for a program and print it, this once: it is kept nowhere."""
    from labbridge import show
    from labbridge.web.visits import digest

    secret = f"lb_{secrets.token_urlsafe(32)}"
    asked_for = {"scope": " ".join(scope), "feed": " ".join(feed or [])}
    more = {"act": "token", **asked_for, "days": days, "digest": digest(secret).hex()}
    answer = asked(config, {"command": "user", "keys": [about], "as": name, **more})
    typer.echo(show.acted(answer, "text"), err=True)
    if not answer["ok"]:
        raise typer.Exit(NEEDS_A_PERSON)
    typer.echo(secret)


@app.command()
def revoke(
    about: Annotated[str, typer.Argument(help="What the program is called.")],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Take a token out of force."""
    _act(config, format, about, name, act="revoke")


@app.command("list")
def listed(config: ConfigPath = None, format: Format = "text") -> None:
    """List accounts and tokens."""
    from labbridge import show

    with reading(config) as store:
        typer.echo(show.people(store, format))


def _act(config: Any, format: str, key: str, name: str, **more: Any) -> None:
    act(config, {"command": "user", "keys": [key], "as": name, **more}, format)


def _hashed(from_input: bool, *about: str) -> str:
    from labbridge.web.passwords import hashed

    given = sys.stdin.readline().rstrip("\n") if from_input else typed_password("--password-stdin")
    return hashed(given, *about)
