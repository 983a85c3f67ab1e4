"""Commands for what the machine says: who approved which item of the knowledge."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from labbridge.cli_parts import NEEDS_A_PERSON, WRONG_USE, ConfigPath, Format, Name, act, fail, load_config, reading

app = typer.Typer()
Keys = Annotated[
    list[str] | None,
    typer.Argument(help="rule:ID, comment:fr:C01, policy:ID ..., with @HASH as read, or a pattern; nothing: the list."),
]


@app.command()
def sign(
    keys: Keys = None,
    name: Annotated[str, typer.Option("--as", help="Who signs; audited.")] = "",
    put_forward: Annotated[bool, typer.Option("--put-forward", help="As its author, for another to approve.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take an approval back.")] = False,
    why: Annotated[str, typer.Option(help="The reason, with --put-forward and --withdraw.")] = "",
    unsigned: Annotated[bool, typer.Option("--unsigned", help="List only what is not approved as it is now.")] = False,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Approve items of the knowledge on the disk for use at this site, in the content they have now; or list them."""
    if not keys:
        from labbridge.signatures import listed

        typer.echo(listed(load_config(config), format, unsigned=unsigned))
        return
    if put_forward and withdraw:
        fail("--put-forward and --withdraw: one of the two", WRONG_USE)
    if not name:
        fail("Say who signs: --as NAME", WRONG_USE)
    wanted = "put_forward" if put_forward else "withdraw" if withdraw else "approve"
    act(config, {"command": "sign", "keys": keys, "as": name, "act": wanted, "why": why}, format)


@app.command()
def replay(
    mappings: Annotated[Path | None, typer.Option(help="Folder laid in the place of the shipped mappings.")] = None,
    site: Annotated[str, typer.Option(help="A site's folder in the place of the one configured.")] = "",
    since: Annotated[
        datetime | None, typer.Option(help="Patients of whom a message came since this day.", formats=["%Y-%m-%d"])
    ] = None,
    processes: Annotated[int, typer.Option(help="How many work at it; as many as there are processors without.")] = 0,
    archive: Annotated[
        Path | None, typer.Option(help="Folder of a study store (`labbridge import`), in its place.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --archive: folder for the results and cases, as Parquet.")
    ] = None,
    scheduler: Annotated[str, typer.Option(help="With --archive: a scheduler of Dask, tcp://HOST:PORT.")] = "",
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Go through the stored past by other knowledge; print what would change, patient by patient and in sum. Sends nothing.

    JSON Lines: a case a line, the sum last. With --archive the cases are in --out, and the sum alone is printed."""
    from labbridge.replaying import printed
    from labbridge.replaying import replay as run
    from labbridge.sources import read_all

    settings = load_config(config)
    before, after = in_force(settings), read_all(site or settings.knowledge.site, mappings)
    if archive is not None:
        if out is None or since is not None:
            fail("--archive needs --out FOLDER, and goes through all of it: leave --since out", WRONG_USE)
        from labbridge.cli_archive import replay_archive

        replay_archive(archive, out, (before, after), settings, (processes, scheduler, format))
        return
    if out is not None or scheduler:
        fail("--out and --scheduler are about an archive: name it with --archive FOLDER", WRONG_USE)
    for one in run(settings, before, after, since.date() if since else None, processes):
        typer.echo(printed(one, format))


@app.command()
def reproduce(
    key: Annotated[str, typer.Argument(help="C12@3: a case and its version.")],
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Say a comment of the past again, from the stored messages and the knowledge it was said by, and compare."""
    from labbridge.reproducing import printed
    from labbridge.reproducing import reproduce as run

    settings = load_config(config)
    with reading(config) as store:
        again = run(key, settings, store)
    typer.echo(printed(again, format))
    raise typer.Exit(0 if again.same_text and again.same_bytes is not False else NEEDS_A_PERSON)


@app.command()
def suspend(
    name: Annotated[str, typer.Option("--as", help="Who suspends; audited. Without: what is suspended.")] = "",
    why: Annotated[str, typer.Option(help="The reason, for who lifts it.")] = "",
    feed: Annotated[str, typer.Option(help="Only of this feed.")] = "",
    analyte: Annotated[str, typer.Option(help="Only of comments on this analyte.")] = "",
    rule: Annotated[str, typer.Option(help="Only by this release row.")] = "",
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Stop release by rule at once, everywhere or in part; what has not left becomes a person's. No page is needed."""
    from labbridge import suspended

    if not name:
        with reading(config) as store:
            typer.echo(suspended.listed(store, format))
        return
    asked = {"command": "suspend", "keys": [""], "as": name, "why": why}
    code, said = suspended.suspend(
        load_config(config), {**asked, "feed": feed, "analyte": analyte, "rule": rule}, format
    )
    typer.echo(said)
    raise typer.Exit(code)


@app.command()
def resume(
    name: Name,
    keys: Annotated[
        list[str] | None, typer.Argument(help="S3, as `labbridge suspend` lists them; nothing: all.")
    ] = None,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Let release by rule go on where it was suspended."""
    act(config, {"command": "resume", "keys": keys or [], "as": name}, format)


def in_force(config: Any) -> Any:
    """The knowledge of the running service, as it is kept in the store; the files on the disk where none runs."""
    from contextlib import closing

    from labbridge.control import ask
    from labbridge.sources import read_all, unpacked
    from labbridge.store import opening
    from labbridge.store.approvals import StoreApprovals

    version = str((ask(config.store.beside, {"command": "knowledge"}) or {}).get("in_force", ""))
    if version:
        with closing(opening.reader(config.store.url)) as store:
            body = StoreApprovals(store).knowledge(version)
        if body is not None:
            return unpacked(body)
    return read_all(config.knowledge.site)
