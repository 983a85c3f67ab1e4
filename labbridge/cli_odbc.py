"""Commands for views and tables of the LIS."""

from __future__ import annotations

from typing import Annotated

import typer

from labbridge.cli_parts import NEEDS_A_PERSON, WRONG_USE, ConfigPath, Format, fail, load_config, reading

app = typer.Typer(no_args_is_help=True, help="Views and tables of the LIS: connections, and gaps in their numbers.")


@app.command("test")
def try_connection(
    name: Annotated[str, typer.Argument(help="A feed or receiver of the kind odbc.")],
    config: ConfigPath = None,
) -> None:
    """Say in a line what is wrong with a connection, and its repair; 0 where nothing is. Nothing is kept or written."""
    from labbridge import odbc_testing

    found = load_config(config)
    known = odbc_testing.names(found)
    if name not in known:
        fail(f"{name} is no feed or receiver of the kind odbc; there are {', '.join(known) or 'none'}", WRONG_USE)
    told = odbc_testing.tested(found, name)
    for line in told.lines:
        typer.echo(line, err=not told.well)
    raise typer.Exit(0 if told.well else NEEDS_A_PERSON)


@app.command()
def gaps(
    name: Annotated[str, typer.Argument(help="A feed of the kind odbc.")],
    config: ConfigPath = None,
    format: Format = "text",
) -> None:
    """The numbers that no row of a view had: those that may still come, and those that never did (rolled back, or
    deleted)."""
    from labbridge import odbc_testing

    with reading(config) as store:
        typer.echo(odbc_testing.gaps(store, name, format))
