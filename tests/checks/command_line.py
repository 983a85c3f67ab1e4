"""The reference page of the command line, printed from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

import typer

from labbridge.app import FORCED
from labbridge.cli import app
from labbridge.cli_parts import EXITS

HEAD = """\
# Command line

Printed from the commands themselves (`labbridge COMMAND --help` says the same). What a command answers goes to standard
output, errors to standard error: one sentence, with the place and the repair. Where no `--config` is given, `labbridge.toml`
of the folder is read, and without that the defaults of `configuration.md` hold. A command that acts (it has `--as`) acts
through the running service, or on the store itself where none runs.
"""


def page() -> str:
    """The exit codes, then each command with what it takes."""
    assert FORCED in EXITS
    lines = [
        HEAD,
        "| exit code | means |",
        "|---|---|",
        *(f"| {code} | {means} |" for code, means in EXITS.items()),
        "",
    ]
    for name, command in commands(typer.main.get_command(app), "labbridge"):
        said = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
        lines += [f"## {_usage(name, command)}", "", said, ""]
        rows = [f"| {_names(one)} | {_takes(one)} | {_means(one)} |" for one in command.params]
        lines += ["| | takes | means |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that can be given, by its words."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, f"{path} {name}")
        else:
            yield f"{path} {name}", one


def _usage(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    return " ".join([name, *(_argument(one) for one in arguments)])


def _argument(one: Any) -> str:
    word = f"{one.name.upper()}{'...' if one.nargs == -1 else ''}"
    return word if one.required else f"[{word}]"


def _names(one: Any) -> str:
    names = [_argument(one)] if one.param_type_name == "argument" else [*one.opts, *_off(one)]
    return ", ".join(f"`{name}`" for name in names)


def _off(one: Any) -> list[str]:
    """`--no-x` switches nothing where `--x` is off without it."""
    return one.secondary_opts if one.default else []


def _takes(one: Any) -> str:
    kinds = [kind for kind in _kinds(one.type_descriptor.annotation) if kind is not type(None)]
    words = " or ".join(dict.fromkeys(_word(kind) for kind in kinds))
    if one.param_type_name == "argument":
        return words
    more = ["any number of times"] if one.multiple else []
    if one.required:
        more.append("has to be given")
    elif not isinstance(one.default, bool) and one.default not in (None, "", ()):
        more.append(f"`{one.default}` if not given")
    return "; ".join([words, *more])


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types of a hint, lists and unions taken apart."""
    if get_origin(hint) is Literal:
        return (hint,)
    return tuple(kind for part in get_args(hint) for kind in _kinds(part)) or (hint,)


def _word(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    return {bool: "a switch", int: "a number", float: "a number", datetime: "a day, YYYY-MM-DD", str: "text"}.get(
        kind, "a path"
    )


def _means(one: Any) -> str:
    assert one.help, f"{one.name} says nothing of what it is"
    return str(one.help).replace("|", "\\|")
