"""Templates to answers: autoescaping always on, words in the reader's language, rights as plain booleans."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from labbridge.model.people import Right
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "fr")
THEMES = ("light", "dark", "darkroom")
_PLACE = re.compile(r"\{([a-z]+)\}")


@lru_cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["moment"] = lambda at: at.strftime("%Y-%m-%d %H:%M")
    return made


@lru_cache
def words(language: str) -> dict[str, str]:
    """English sentences with their translation; empty for English, which is how they are written."""
    paths = sorted((FOLDER / "words" / language).glob("*.yaml"))
    return {key: said for path in paths for key, said in yaml.safe_load(path.read_text(encoding="utf-8")).items()}


@lru_cache
def _with_places(language: str) -> list[tuple[re.Pattern[str], str]]:
    """The sentences in which something stands for {this}: the ones that say most come first, so that none is taken for
    another that goes on differently."""
    found = [(_PLACE.split(key), said) for key, said in words(language).items() if _PLACE.search(key)]
    found.sort(key=lambda one: -sum(map(len, one[0][::2])))
    return [(re.compile("".join(map(_part, range(len(parts)), parts)), re.DOTALL), said) for parts, said in found]


def _part(number: int, part: str) -> str:
    return f"(?P<{part}>.+)" if number % 2 else re.escape(part)


def translated(language: str, text: str) -> str:
    """A sentence in a language, as it is where that has no words for it. What stands in one of its places is a word of ours
    (translated too), a key or a number."""
    known = words(language)
    if text in known:
        return known[text]
    for pattern, said in _with_places(language):
        if found := pattern.fullmatch(text):
            return said.format_map({name: known.get(word, word) for name, word in found.groupdict().items()})
    return text


def language_of(request: Request, visit: Visit | None) -> str:
    """The person's choice, else the first of ours that the browser asks for, else English."""
    chosen = visit.person.language if visit else ""
    asked = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return next((one for one in (chosen, *asked) if one in LANGUAGES), "en")


def said(request: Request, text: str) -> str:
    """A sentence in the reader's language, for an answer that is no page."""
    return translated(language_of(request, getattr(request.state, "visit", None)), text)


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page, with what every page shows. Raises where a template asks for what it was not given."""
    visit: Visit | None = getattr(request.state, "visit", None)
    parts: Parts = request.app.state.parts
    language = language_of(request, visit)
    rights = {f"may_{right.value}": visit is not None and visit.may(right) for right in Right}
    given = {
        "_": lambda text: translated(language, text),
        "lang": language,
        "theme": visit.person.theme if visit else "",
        "person": visit.person if visit else None,
        "csrf": visit.csrf if visit else "",
        "path": request.url.path,
        "trials": parts.trials,
        "test": parts.test or bool(parts.trials),
        **rights,
        **context,
    }
    return HTMLResponse(environment().get_template(name).render(given), status)
