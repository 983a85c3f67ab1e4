"""The workbench as an application: its pages, and the guard before them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from labbridge.web.access import ROUTES, Route
from labbridge.web.guard import Guard
from labbridge.web.parts import Parts
from labbridge.web.rendering import FOLDER

LONGEST_BODY = 2**20


def site(parts: Parts, routes: Sequence[Route] = ROUTES) -> FastAPI:
    """The pages and their routes, without the guard. No page of documentation, no schema of it."""
    made = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, max_body_size=LONGEST_BODY)
    made.state.parts = parts
    made.add_exception_handler(RequestValidationError, _incomplete)
    for one in routes:
        made.add_api_route(one.path, one.page, methods=[one.method], include_in_schema=False, response_model=None)
    made.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    return made


def _incomplete(_request: Request, _fault: Exception) -> Response:
    """What a form lacks is not quoted back: it may hold anything."""
    return PlainTextResponse("The form is not complete; load the page again\n", 400)


def application(parts: Parts, routes: Sequence[Route] = ROUTES) -> ASGIApp:
    """What is served."""
    pages = site(parts, routes)
    return Guard(pages, pages, parts, routes)
