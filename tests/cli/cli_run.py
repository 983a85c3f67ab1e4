"""The command line as it is entered: the real entry point, its exit code, what it printed where."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from labbridge import cli

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, SITE = ROOT / "samples", ROOT / "samples/site"


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words: object) -> Done:
    """`labbridge WORDS...`, in this process."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["labbridge", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())


def config(folder: Path, extra: str = "", site: Path = SITE) -> Path:
    """A configuration of a laboratory with one feed and one receiver, its store in the folder."""
    path = folder / "labbridge.toml"
    path.write_text(
        f'facility = "LABA"\n[store]\nurl = "sqlite:///{folder / "store.db"}"\n'
        f'[feeds.myolis]\nlisten = "127.0.0.1:0"\ntimezone = "Europe/Paris"\n'
        f'[receivers.lis]\naddress = "127.0.0.1:9"\n[knowledge]\nsite = "{site}"\n{extra}',
        encoding="utf-8",
    )
    return path
