"""`labbridge init`: the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labbridge.cli_parts import WRONG_USE, Format, fail, typed_password

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where labbridge.toml goes.")] = Path(),
    data: Annotated[
        Path | None, typer.Option(help="Where the store and the site's folder go; FOLDER/var without.")
    ] = None,
    store: Annotated[str, typer.Option(help="URL of a PostgreSQL store; a SQLite file in --data without.")] = "",
    facility: Annotated[str, typer.Option(help="MSH-4 of what this service sends.")] = "LABA",
    sender: Annotated[str, typer.Option(help="MSH-3|MSH-4 of the LIS.")] = "MYOLIS|LABA",
    timezone: Annotated[str, typer.Option(help="IANA zone of times the LIS sends without an offset.")] = "Europe/Paris",
    receiver: Annotated[str, typer.Option(help="HOST:PORT where the LIS takes comments.")] = "127.0.0.1:2576",
    admin: Annotated[str, typer.Option(help="Login of the administrator.")] = "",
    name: Annotated[str, typer.Option("--name", help="The administrator, as a name stands beside a signature.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password; without, it is asked for.")
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="A further node of a store that is there: no store is made, no account.")
    ] = False,
    format: Format = "text",
) -> None:
    """Write a commented configuration and the site's folder, make the store and its administrator. Overwrites nothing."""
    from labbridge import setting_up
    from labbridge.config_start import Start, beside

    if join != (not admin) or bool(admin) != bool(name) or (join and not store):
        fail("Name the administrator with --admin LOGIN --name NAME, or give --join and --store", WRONG_USE)
    where = data or folder / "var"
    known = {**beside(where), **({"store": store} if store else {})}
    start = Start(facility=facility, sender=sender, timezone=timezone, receiver=receiver, **known)
    wanted = setting_up.Wanted(folder=folder, data=where, start=start)
    setting_up.check(wanted, admin, name)
    account = setting_up.Admin(admin, name, _hashed(password_file, admin, name)) if admin else None
    typer.echo(setting_up.printed(setting_up.set_up(wanted, account), format))


def _hashed(file: Path | None, *about: str) -> str:
    from labbridge.web.passwords import hashed

    given = file.read_text(encoding="utf-8").partition("\n")[0] if file else typed_password("--password-file")
    return hashed(given, *about)
