"""What SMART clients ask for: our configuration, our public keys, and access tokens. Open: the body proves who asks."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from labbridge.errors import StoreUnavailable
from labbridge.fhir.faults import Issue, outcome
from labbridge.observe import logs
from labbridge.web import authorizing
from labbridge.web.authorizing import FORM, LONGEST_FORM, NOBODY_HERE, NotGiven
from labbridge.web.parts import Parts

CONFIGURATION = "/.well-known/smart-configuration"
OF_FHIR = f"/fhir{CONFIGURATION}"
KEYS = "/.well-known/jwks.json"
TOKEN = "/token"  # noqa: S105 - an address

_log = logs.logger("web")


def configuration(request: Request) -> Response:
    parts: Parts = request.app.state.parts
    if parts.smart is not None and parts.smart.token_url:
        return JSONResponse(authorizing.configuration(parts.smart))
    return Response(outcome([Issue("not-found", NOBODY_HERE)]), 404, media_type="application/fhir+json")


def keys(request: Request) -> Response:
    """Our own public keys, by which receivers know us; none where we are nobody's client."""
    parts: Parts = request.app.state.parts
    published = parts.smart.published if parts.smart is not None else ()
    return JSONResponse({"keys": list(published)}, media_type="application/json")


async def token(request: Request) -> Response:
    """An access token for who proves to be a client. Failures slow each other down, by address."""
    parts: Parts = request.app.state.parts
    smart = parts.smart
    if smart is None or not smart.token_url:
        return _refused(NotGiven("invalid_client", NOBODY_HERE))
    address = f"address {request.client.host if request.client else ''}"
    left = smart.throttle.begun(address)
    if left > 0:
        return _later(int(left) + 1)
    try:
        form = await _form(request)
        answer = await run_in_threadpool(authorizing.given, smart, form, parts.clock.now())
    except NotGiven as fault:
        _log.warning("token_refused", reason=fault.reason)
        return _refused(fault)
    except StoreUnavailable:
        return _refused(NotGiven("server_error", "The store does not answer now; try again in a moment"))
    except ClientDisconnect:
        return Response(status_code=400)
    smart.throttle.succeeded(address)
    return JSONResponse(answer, headers={"Pragma": "no-cache"})


async def _form(request: Request) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != FORM:
        raise NotGiven("invalid_request", f"The body has to be {FORM}")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LONGEST_FORM:
            raise NotGiven("invalid_request", f"The body is longer than {LONGEST_FORM} bytes")
    return authorizing.fields_of(bytes(raw))


def _refused(fault: NotGiven) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else {}
    headers |= {"Retry-After": "1"} if fault.status == 503 else {}
    told = {"error": fault.code, "error_description": str(fault)}
    return JSONResponse(told, fault.status, headers={"Pragma": "no-cache", **headers})


def _later(seconds: int) -> Response:
    response = _refused(NotGiven("temporarily_unavailable", f"Too many failed; wait {seconds} s and try again"))
    response.headers["Retry-After"] = str(seconds)
    return response
