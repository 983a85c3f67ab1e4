"""Commands for the store over the years, and for messages and patients that need a person's word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from labbridge.cli_parts import NEEDS_A_PERSON, WRONG_USE, ConfigPath, Format, Name, act, fail, load_config, reading

audit = typer.Typer(no_args_is_help=True, help="The audit: its key, and whether it is whole.")
app = typer.Typer()
Patient = Annotated[str, typer.Argument(help="AUTHORITY|NUMBER, as `labbridge show C12` prints it.")]


@app.command()
def edit(
    key: Annotated[str, typer.Argument(help="M17: a parked or quarantined message.")],
    file: Annotated[Path, typer.Argument(help="The repaired message, its bytes as they are to be read.")],
    why: Annotated[str, typer.Option(help="What was repaired, for the audit.")],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Keep a repaired message beside the one received; somebody else reads it and sends it through (reprocess)."""
    import base64

    raw = base64.b64encode(file.read_bytes()).decode()
    act(config, {"command": "edit", "keys": [key], "as": name, "raw": raw, "why": why}, format)


@app.command()
def identity(
    keys: Annotated[list[str], typer.Argument(help="M17: a message that is held for its patient.")],
    verdict: Annotated[
        Literal["same", "other"], typer.Option("--is", help="same: that patient; other: somebody else.")
    ],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Say whether messages are of the patient whose number they bear, where birth date, sex or name leave it open."""
    act(config, {"command": "identity", "keys": keys, "as": name, "verdict": verdict}, format)


@app.command()
def unlink(
    keys: Annotated[list[str], typer.Argument(help="M17: the identity message.")],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Undo what an identity message linked (ADT^A40, A18, A34): two patients again, each evaluated on its own."""
    act(config, {"command": "unlink", "keys": keys, "as": name}, format)


@app.command()
def retests(
    keys: Annotated[list[str] | None, typer.Argument(help="R7: to be cancelled; nothing: list what is open.")] = None,
    yields: Annotated[bool, typer.Option("--yield", help="What became of retests, by rule, assay and signal.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Nobody is to do these.")] = False,
    why: Annotated[str, typer.Option(help="The reason of a cancellation, for the audit.")] = "",
    name: Annotated[str, typer.Option("--as", help="Who cancels; audited.")] = "",
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """The ledger of retests: what is recommended or ordered and open, and how many were confirmed or refuted."""
    from labbridge import retested

    if cancel != bool(keys):
        fail("Name what is to be cancelled: `labbridge retests --cancel R7 --why REASON --as NAME`", WRONG_USE)
    if keys:
        act(config, {"command": "retest", "keys": keys, "as": name, "why": why}, format)
    with reading(config) as store:
        typer.echo(retested.yielded(store, format) if yields else retested.listed(store, format))


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="File to write; its manifest goes beside it (.json).")] = None,
    mark: Annotated[bool, typer.Option("--mark", help="A PostgreSQL store was copied by its own tools.")] = False,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Copy the store while it runs, and look the copy over: pages, audit, every message. A running service is told of it
    for its metrics."""
    from labbridge.keeping import back_up
    from labbridge.processing import SystemClock
    from labbridge.telling import BACKUP, tell

    if (target is None) != mark:
        fail("Name the file to write, or --mark a copy that was made", WRONG_USE)
    if target is not None:
        typer.echo(back_up(load_config(config), target, SystemClock(), format))
    if not tell(load_config(config), BACKUP) and mark:
        fail("No service runs on this store: there is nobody to tell", NEEDS_A_PERSON)


@app.command()
def restore(
    name: Name,
    source: Annotated[Path | None, typer.Argument(help="A file that `labbridge backup` wrote.")] = None,
    to: Annotated[Path | None, typer.Option(help="Where the store is to be; nothing may be there.")] = None,
    mark: Annotated[bool, typer.Option("--mark", help="A PostgreSQL store was restored by its own tools.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="What left since was looked at: send again.")] = False,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Put a backup back as a store. Comments leave it once a person confirms (--confirm)."""
    from labbridge.keeping import restore as run
    from labbridge.processing import SystemClock

    if mark:
        act(config, {"command": "mark", "keys": ["restore"], "as": name}, format)
    if confirm:
        act(config, {"command": "confirm", "keys": ["restore"], "as": name}, format)
    if source is None:
        fail("Name the backup to restore, or --confirm, or --mark", WRONG_USE)
    target = to or load_config(config).store.file
    if target is None:
        fail("The store is a PostgreSQL database: restore it with its own tools, then --mark", WRONG_USE)
    typer.echo(run(source, target, name, SystemClock(), format))


@app.command()
def support(
    out: Annotated[Path, typer.Argument(help="File to write (FILE.zip).")],
    log: Annotated[
        str, typer.Option(help="Log of the service, of which the last lines go in; - for standard input.")
    ] = "",
    lines: Annotated[int, typer.Option(help="How many of them.", min=1)] = 1000,
    config: ConfigPath = None,
) -> None:
    """One file for whoever helps from afar: versions, configuration without secrets, metrics, counts, log lines. No patient
    data is in it."""
    from labbridge.processing import SystemClock
    from labbridge.support import Wanted, bundle

    typer.echo(bundle(load_config(config), Wanted(out, log, lines), SystemClock()))


@audit.command("key")
def audit_key(file: Annotated[Path, typer.Argument(help="Where the signing key goes; .pub beside it.")]) -> None:
    """Make the key that anchors are signed with. Keep FILE.pub where the audit is verified."""
    from labbridge.store.anchors import make_key

    make_key(file)
    typer.echo(f"{file} signs (keep it readable by the service alone); {file}.pub verifies")


@audit.command("verify")
def audit_verify(
    anchors: Annotated[Path | None, typer.Option(help="Anchors to compare with; those configured without.")] = None,
    key: Annotated[Path | None, typer.Option(help="Key they were signed with (FILE.pub).")] = None,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Go over every line of the audit, and hold it against the signed anchors. A running service is told what was found for
    its metrics."""
    from labbridge.keeping import verified_text, verify
    from labbridge.telling import AUDIT, tell

    with reading(config) as store:
        found, remarks = verify(store, load_config(config).audit, anchors, key)
    tell(load_config(config), AUDIT, faults=len(found.faults))
    typer.echo(verified_text(found, remarks, format))
    raise typer.Exit(NEEDS_A_PERSON if found.faults else 0)


@app.command()
def nodes(config: ConfigPath = None, format: Format = "text") -> None:
    """The services that have this store in hand, and what each of them holds."""
    from labbridge.keeping import nodes_text

    with reading(config) as store:
        typer.echo(nodes_text(store, load_config(config), format))


@app.command()
def expire(
    name: Name,
    days: Annotated[int, typer.Option(help="Bytes older than this; without it [retention] raw_d.")] = 0,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Wipe the bytes of finished messages that have grown old. What is unfinished or held is never touched."""
    act(config, {"command": "expire", "keys": [str(days or "")], "as": name}, format)


@app.command()
def erase(
    patient: Patient,
    why: Annotated[str, typer.Option(help="The reason, for the audit; name no patient in it.")],
    name: Name,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Take a patient out of the store: messages, results, cases, comments, and the log beside the database."""
    act(config, {"command": "erase", "keys": [patient], "as": name, "why": why}, format)


@app.command("legal-hold")
def legal_hold(
    patient: Patient,
    name: Name,
    why: Annotated[str, typer.Option(help="The reason, for the audit; name no patient in it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="End the holds over this patient.")] = False,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Keep everything of a patient, whatever its age, until the hold is lifted."""
    act(config, {"command": "hold", "keys": [patient], "as": name, "why": why, "lift": lift}, format)
