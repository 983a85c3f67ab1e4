"""Commands for the archive: earlier results in, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from labbridge.cli_parts import NEEDS_A_PERSON, WRONG_USE, ConfigPath, Format, fail, load_config

app = typer.Typer()
Told = Callable[[str, int, int], None]


@app.command("import")
def import_archive(
    study: Annotated[Path, typer.Option(help="Folder of the study store; made where there is none.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="CSV, Excel, Parquet, HL7 v2 files, or folders of them; nothing: what is there."),
    ] = None,
    columns: Annotated[
        Path | None, typer.Option(help="TOML file that says which column is what; the standard names without.")
    ] = None,
    feed: Annotated[str, typer.Option(help="As which feed the rows are read; the only one without.")] = "",
    history: Annotated[
        bool, typer.Option("--history", help="Bring the study into the history of the live store, before go-live.")
    ] = False,
    rows: Annotated[int, typer.Option(help="Rows of a piece.", min=1)] = 200_000,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Import earlier results into a study store, piece by piece; what was broken off goes on where it was.

    Says column by column what could not be understood, and why. --history: such results inform later ones, and by
    themselves raise no finding, comment or retest."""
    from labbridge import importing

    importing.check_installed()
    settings = load_config(config)
    if not paths and not history:
        fail("Name what to import, or --history for what the study holds", WRONG_USE)
    with progress("import", sum(_length(path) for path in paths or ())) as told:
        found = importing.into_study(paths or [], study, settings, feed=feed, columns=columns, rows=rows, told=told)
    if history:
        with progress("history", 64) as told:
            found["history"] = importing.into_store(study, settings, told)
    typer.echo(importing.printed(found, format))
    raise typer.Exit(NEEDS_A_PERSON if found["aside"] or found["unread"] else 0)


@app.command()
def report(
    name: Annotated[
        str,
        typer.Argument(
            help="concordance, discordance, retest-yield, drift, turnaround, unmapped, comments, look-back, reconciliation."
        ),
    ],
    since: Annotated[
        datetime | None, typer.Option("--from", help="First day of collection.", formats=["%Y-%m-%d"])
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Last day.", formats=["%Y-%m-%d"])] = None,
    replayed: Annotated[
        Path | None, typer.Option("--replay", help="Folder of a replay over an archive, not the live store.")
    ] = None,
    study: Annotated[Path | None, typer.Option(help="Of unmapped: folder of a study store.")] = None,
    counts: Annotated[
        Path | None, typer.Option(help="Of reconciliation: CSV of the LIS with feed, hour and count.")
    ] = None,
    assay: Annotated[str, typer.Option(help="Of look-back: the kit, else the method.")] = "",
    lot: Annotated[str, typer.Option(help="Of look-back: the lot.")] = "",
    out: Annotated[Path | None, typer.Option(help="FILE.html with plots, FILE.csv or FILE.parquet.")] = None,
    mark: Annotated[bool, typer.Option("--mark", help="Of drift: tell the running service, for its metrics.")] = False,
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """Report on the live store, or on a replayed archive: tables on the terminal, or a file with --out."""
    from labbridge import importing, reporting

    if name not in reporting.NAMES:
        fail(f"There is no report {name}; there are {', '.join(reporting.NAMES)}", WRONG_USE)
    importing.check_installed()
    days = {"since": since.date() if since else None, "until": until.date() if until else None}
    wanted = reporting.Wanted(name=name, **days, replayed=replayed, study=study, counts=counts, assay=assay, lot=lot)
    found = reporting.report(wanted, load_config(config))
    if mark:
        _tell(found, wanted, load_config(config))
    if out is not None:
        reporting.write(found, out)
    typer.echo(f"{out}: {found.title}" if out is not None and format == "text" else reporting.printed(found, format))


def _tell(found: Any, wanted: Any, config: Any) -> None:
    """The alarms of drift, to the running service."""
    from labbridge.telling import DRIFT, tell

    if wanted.name != "drift" or wanted.replayed is not None:
        fail("--mark is of the drift of the live store", WRONG_USE)
    if not tell(config, DRIFT, alarms=found.alarms):
        fail("No service runs on this store: there is nobody to tell", NEEDS_A_PERSON)


def replay_archive(study: Path, out: Path, knowledge: tuple[Any, Any], config: Any, how: tuple[int, str, str]) -> None:
    """The knowledge in force and another over a study; `how`: processes, scheduler, and the format of the sum."""
    from labbridge import archived, importing
    from labbridge.model.replay import Sum
    from labbridge.replaying import printed

    importing.check_installed()
    processes, scheduler, format = how
    language = config.language_of(next(iter(config.feeds), ""))
    before, after = knowledge
    done = rows = 0
    with progress("replay", archived.BUCKETS) as told:
        for one in archived.replay(
            study, out, before, after, language=language, processes=processes, scheduler=scheduler
        ):
            if isinstance(one, Sum):
                found = one
            else:
                done, rows = done + 1, rows + one.results
                told("", rows, done)
    typer.echo(printed(found, format))


def _length(path: Path) -> int:
    """Bytes of a file, or of all below a folder."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


@contextmanager
def progress(what: str, total: int) -> Iterator[Told]:
    """A bar on a terminal's standard error; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]} rows"), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task(what, total=total or None, rows=0)
        yield lambda name, rows, done: bar.update(task, description=f"{what} {name}", rows=rows, completed=done)
