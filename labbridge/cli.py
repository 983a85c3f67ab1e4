"""The command line. Each command: parse, call, print. Exit codes and names: docs/reference/command-line.md."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from labbridge import __version__, cli_archive, cli_init, cli_knowledge, cli_odbc, cli_store, cli_user
from labbridge.cli_parts import (
    CANNOT_CREATE,
    CONFIGURATION,
    NEEDS_A_PERSON,
    UNAVAILABLE,
    WRONG_USE,
    ConfigPath,
    Format,
    Name,
    act,
    fail,
    load_config,
    reading,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
maps = typer.Typer(no_args_is_help=True, help="Help with mapping local codes.")
app.add_typer(maps, name="map")
app.add_typer(cli_init.app)
app.add_typer(cli_store.app)
app.add_typer(cli_knowledge.app)
app.add_typer(cli_archive.app)
app.add_typer(cli_store.audit, name="audit")
app.add_typer(cli_user.app, name="user")
app.add_typer(cli_odbc.app, name="odbc")


def main() -> None:
    """Entry point: one sentence to standard error for what a person can repair."""
    from labbridge.config import ConfigError
    from labbridge.errors import CannotCreate, CaseFileError, PackFileError, Refused, StoreUnavailable
    from labbridge.sources import KnowledgeError
    from labbridge.store.connection import StoreRefused

    try:
        app()
    except (ConfigError, KnowledgeError, StoreRefused) as fault:
        fail(str(fault), CONFIGURATION)
    except (CaseFileError, PackFileError) as fault:
        fail(str(fault), WRONG_USE)
    except CannotCreate as fault:
        fail(str(fault), CANNOT_CREATE)
    except Refused as fault:
        fail(str(fault), NEEDS_A_PERSON)
    except StoreUnavailable as fault:
        fail(str(fault), UNAVAILABLE)
    except FileNotFoundError as fault:
        fail(f"{fault.filename}: there is no such file", WRONG_USE)
    except IsADirectoryError as fault:
        fail(f"{fault.filename}: this is a folder; name the files in it", WRONG_USE)
    except PermissionError as fault:
        fail(f"{fault.filename}: this file may not be read by you; change its permissions", WRONG_USE)


@app.command()
def serve(
    config: ConfigPath = None,
    role: Annotated[Literal["listen", "process", "deliver", "web", "all"], typer.Option(help="What to run.")] = "all",
    log: Annotated[Literal["json", "console"], typer.Option(help="How log lines look.")] = "json",
) -> None:
    """Run feeds, processing and delivery until SIGTERM (drains)."""
    from labbridge.app import serve as run

    try:
        run(load_config(config), role, log == "json")
    except OSError as fault:
        fail(f"A port could not be opened: {fault.strerror}; another program may hold it", UNAVAILABLE)


@app.command()
def interpret(
    paths: Annotated[list[str], typer.Argument(help="HL7 v2 files and FHIR JSON files, or - for standard input.")],
    as_of: Annotated[datetime | None, typer.Option(help="Evaluate as of this day.", formats=["%Y-%m-%d"])] = None,
    explain: Annotated[bool, typer.Option(help="Show which rules held, and on what.")] = False,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Read files, group by patient, print the interpretation of each. No store."""
    from labbridge import show
    from labbridge.offline import interpret_paths

    found = interpret_paths(paths, load_config(config), as_of.date() if as_of else None, explain=explain)
    for one in found.patients:
        typer.echo(show.patient(one, found.knowledge, format))
    for fault in found.unreadable:
        typer.echo(f"{fault.name}, message {fault.number}: {fault.text}", err=True)
    held = any(one.outcome.hold for one in found.patients)
    raise typer.Exit(NEEDS_A_PERSON if found.unreadable or held else 0)


@app.command()
def validate(
    cases: Annotated[list[Path], typer.Argument(help="Case files (YAML).")],
    pack: Annotated[
        Path | None, typer.Option(help="Keep a pack: FILE.html for people, FILE.json for programs.")
    ] = None,
    tester: Annotated[str, typer.Option(help="Who tests, for the pack; the account's name without.")] = "",
    before: Annotated[
        Path | None, typer.Option(help="The .json of an earlier pack: the new one says what changed.")
    ] = None,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Run case files through the real normaliser and rules; compare with what they expect."""
    from labbridge import show
    from labbridge.offline import validate_files

    kept = ""
    if pack is None:
        if tester or before is not None:
            fail("--tester and --before are about a pack: name it with --pack FILE", WRONG_USE)
        found = validate_files(cases, load_config(config))
    else:
        from labbridge.processing import SystemClock  # only here: it brings the whole story with it
        from labbridge.validating import Wanted, validate_packed

        wanted = Wanted(pack, SystemClock().now(), tester, before)
        found, kept = validate_packed(cases, load_config(config), wanted)
    typer.echo(show.cases_json(found) if format == "json" else show.cases_text(found, kept))
    raise typer.Exit(NEEDS_A_PERSON if any(one.passed is False for one in found) else 0)


@app.command()
def check(
    mappings: Annotated[Path | None, typer.Option(help="Folder to check; the shipped one without.")] = None,
    site: Annotated[str, typer.Option(help="A site's folder, laid over it.")] = "",
    write_lock: Annotated[bool, typer.Option(help="Write versions.lock.json for new and raised versions.")] = False,
) -> None:
    """Check the knowledge: schemas, references, codes, versions, and the proof of the rules; each fault with its repair."""
    from labbridge.checking import check as run

    faults, summary = run(mappings, site, write_lock, say=typer.echo)
    for fault in faults:
        typer.echo(str(fault), err=True)
    typer.echo(summary)
    raise typer.Exit(NEEDS_A_PERSON if faults else 0)


@app.command()
def send(
    files: Annotated[list[str], typer.Argument(help="Files of one or many messages; line ends become CR.")],
    to: Annotated[str, typer.Option(help="HOST:PORT of an MLLP listener.")],
    timeout_s: Annotated[float, typer.Option(help="Wait this long for each answer.")] = 30.0,
    tls: Annotated[bool, typer.Option("--tls", help="Over TLS; the listener is verified.")] = False,
    ca: Annotated[str, typer.Option(help="PEM file of its authorities; the system's without.")] = "",
    certificate: Annotated[str, typer.Option(help="PEM file of a certificate to show.")] = "",
    key: Annotated[str, typer.Option(help="PEM file of the certificate's key.")] = "",
    server_name: Annotated[str, typer.Option(help="Name in its certificate; HOST without.")] = "",
    format: Format = "text",
) -> None:
    """Send messages over MLLP and print the answers."""
    from labbridge.client import context, send_files

    files_named = ca or certificate or key or server_name
    if files_named and not tls:
        fail("--ca, --certificate, --key and --server-name need --tls", WRONG_USE)
    secure = context(ca, certificate, key) if tls else None
    refused = 0
    for sent in send_files(files, to, timeout_s, secure, server_name):
        refused += not sent.positive
        typer.echo(sent.line(format))
    raise typer.Exit(NEEDS_A_PERSON if refused else 0)


@app.command()
def messages(
    count: Annotated[
        bool, typer.Option("--count", help="Only the counts: received = stored + quarantined + ...")
    ] = False,
    unmapped: Annotated[bool, typer.Option("--unmapped", help="Codes that no table names; ours first.")] = False,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """List kept messages, count them, or list the codes in them that no table names."""
    from labbridge import show

    with reading(config) as store:
        if unmapped:
            typer.echo(show.unmapped(store, limit, format))
        else:
            typer.echo(show.counts(store, format) if count else show.messages(store, limit, format))


@app.command("show")
def show_one(
    key: Annotated[str, typer.Argument(help="C12, M17 or D3; nothing: the worklist.")] = "",
    limit: Annotated[int, typer.Option(help="How many cases of the worklist.")] = 50,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Show the worklist, or one case, message or delivery."""
    from labbridge import show

    with reading(config) as store:
        typer.echo(show.one(store, key, format) if key else show.worklist(store, limit, format))


@app.command()
def quarantine(
    limit: Annotated[int, typer.Option(help="How many, oldest first.")] = 50,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """List quarantined and parked messages with place and reason."""
    from labbridge import show

    with reading(config) as store:
        typer.echo(show.quarantine(store, limit, format))


@app.command()
def reprocess(
    keys: Annotated[list[str], typer.Argument(help="M17: a message; D3: a comment on its way out.")],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Send parked or quarantined messages through again after a repair, and comments (D3) that were given up."""
    act(config, {"command": "reprocess", "keys": keys, "as": name}, format)


@app.command()
def release(
    keys: Annotated[list[str], typer.Argument(help="C12@3: a case and its version.")],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Sign and send the comment of a case version that was read, for example C12@3."""
    act(config, {"command": "release", "keys": keys, "as": name}, format)


@app.command("reload")
def reload_knowledge(
    name: Annotated[str, typer.Option("--as", help="Who acts, for the audit; the account's name without.")] = "",
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Have the running service take in changed mappings and site folder: proven first, whole or not at all."""
    import getpass

    from labbridge.control import ask
    from labbridge.reloading import ANSWERED_WITHIN_S, printed

    request = {"command": "reload", "as": name or getpass.getuser()}
    answer = ask(load_config(config).store.beside, request, ANSWERED_WITHIN_S)
    if answer is None:
        fail("No service runs on this store; its next start reads what `labbridge check` sees", NEEDS_A_PERSON)
    outcome, faults = printed(answer, format)
    for fault in faults:
        typer.echo(fault, err=True)
    typer.echo(outcome)
    raise typer.Exit(0 if answer.get("ok") else NEEDS_A_PERSON)


@app.command("config")
def show_config(
    config: ConfigPath = None,
    effective: Annotated[bool, typer.Option(help="What is in force, environment included.")] = True,
) -> None:
    """Print the configuration in force as TOML."""
    from labbridge.config_text import effective as printed

    del effective  # there is nothing else to print in this version
    typer.echo(printed(load_config(config)), nl=False)


@app.command()
def doctor(config: ConfigPath = None) -> None:
    """What is missing on this machine, one line each with the repair."""
    from labbridge.checking import examine

    lines, sound = examine(load_config(config))
    typer.echo("\n".join(lines))
    raise typer.Exit(0 if sound else NEEDS_A_PERSON)


@maps.command("suggest")
def map_suggest(
    file: Annotated[Path, typer.Argument(help="CSV with a column code or name, or HL7 v2 messages.")],
    config: ConfigPath = None,
    format: Annotated[Literal["text", "json", "csv"], typer.Option("--format", help="csv: rows for codes/.")] = "text",
) -> None:
    """Propose analyte, assay and unit of local codes, each with its reason and how sure; nothing is applied."""
    from labbridge.suggest import printed, suggest_file

    typer.echo(printed(suggest_file(file, load_config(config)), format))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


if __name__ == "__main__":
    main()
