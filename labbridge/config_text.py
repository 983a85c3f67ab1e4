"""The configuration as text: what is in force as TOML, and the reference of every key, printed from config.py."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel

from labbridge.config import NAMED, OF_NAMES, SECTIONS, WITHIN, Config, StoreSection
from labbridge.config_odbc import FeedOdbcSection, ReceiverOdbcSection
from labbridge.config_oidc import OidcSection


def effective(config: Config) -> str:
    """The configuration in force as TOML, without the passwords and secrets in it."""
    lines = [f"{name} = {_toml(getattr(config, name))}" for name in ("application", "facility")]
    for name in SECTIONS:
        value = getattr(config, name)
        sections = {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
        for title, section in sections.items():
            lines += _printed(title, section)
    return "\n".join(lines) + "\n"


def _printed(title: str, section: BaseModel) -> Iterator[str]:
    """A section as TOML; the sections within it follow."""
    yield from ("", f"[{title}]")
    within = {key: one for key, one in section if isinstance(one, BaseModel) or key in OF_NAMES}
    shown = _masked(section)
    yield from (
        f"{key} = {_toml(shown.get(key, one))}" for key, one in section if key not in within and one is not None
    )
    for key, one in within.items():
        parts = {f".{name}": part for name, part in one.items()} if isinstance(one, dict) else {"": one}
        for name, part in parts.items():
            yield from _printed(f"{title}.{key}{name}", part)


def _masked(section: BaseModel) -> dict[str, str]:
    """What is shown in the place of a secret."""
    if isinstance(section, StoreSection):
        return {"url": section.masked}
    if isinstance(section, FeedOdbcSection | ReceiverOdbcSection) and section.password:
        return {"password": "***"}
    return {"client_secret": "***"} if isinstance(section, OidcSection) and section.client_secret else {}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return str(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def reference() -> str:
    """docs/reference/configuration.md, printed from the classes above."""
    lines = ["# Configuration", "", "One TOML file; the environment wins: `LABBRIDGE_SECTION__KEY`.", ""]
    for name, section in SECTIONS.items():
        title = f"{name}.NAME" if name in NAMED else name
        lines += _table(title, section)
        for key, within in WITHIN.get(name, {}).items():
            lines += _table(f"{title}.{key}{'.NAME' if key in OF_NAMES else ''}", within)
    return "\n".join(lines)


def _table(title: str, section: type[BaseModel]) -> Iterator[str]:
    yield from (f"## [{title}]", "", "| key | default | meaning |", "|---|---|---|")
    for key, field in section.model_fields.items():
        default = (
            "required" if field.is_required() else "none" if field.default is None else f"`{_toml(field.default)}`"
        )
        yield f"| `{key}` | {default} | {field.description} |"
    yield ""
