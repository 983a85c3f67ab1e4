"""Commands for what the machine says: who approved which item of the knowledge."""

from __future__ import annotations

from typing import Annotated

import typer

from labbridge.cli_parts import WRONG_USE, ConfigPath, Format, act, fail, load_config

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
