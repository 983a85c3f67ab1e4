"""The client of one FHIR server. Each resource is looked for by our own identifier before it is written, so that however
often an answer is lost there is one of it: created where there is none, updated where there is one, and left to a person
where there are several."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

import httpx2
import msgspec

from labbridge.delivery.destinations import Destination
from labbridge.delivery.http import Authorize, Exchange, HttpSettings, Reply, client, nobody
from labbridge.delivery.turn import MaySend, always, check
from labbridge.errors import Retry
from labbridge.fhir import answers
from labbridge.fhir.answers import Resource, Unreadable, Wanted
from labbridge.observe.handshakes import SENTENCES, why
from labbridge.observe.logs import logger
from labbridge.states import Reason

ROUNDS = 4  # of looking and writing, where somebody else writes at the same time
CHANGED = frozenset((409, 412))  # it is not as it was seen: to be looked at again
GONE = frozenset((404, 410))  # so is a resource that was found and is not there any more
FINDABLE_S = (0.05, 0.2, 0.5)  # between two looks for what was just created
CREATED = 201
LONGEST_TAG = 200
UNBELIEVED = "What was written is not there: its answer is not believed"
OTHER_KIND = "it was composed for a receiver of another kind"
STRICT = {"Prefer": "handling=strict"}

_log = logger("delivery")
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Written(msgspec.Struct, frozen=True):
    """What a server made of a delivery: ports.Answer. `code` is the HTTP status of the last resource that was written or
    refused, `error` and `text` type and place of its OperationOutcome. `control_id`: the delivery that was read back there
    by our own identifiers; empty where it was not taken."""

    code: str
    control_id: str = ""
    error: str = ""
    text: str = ""
    raw: bytes = b""

    def takes(self, control_id: str) -> bool:
        return bool(control_id) and self.control_id == control_id


class Refusal(Exception):
    """The server refuses a resource as it is, or what is there needs a person."""

    def __init__(self, code: str, error: str = "", text: str = "") -> None:
        super().__init__(code)
        self.written = Written(code, error=error, text=text)


class How(msgspec.Struct, frozen=True):
    """How a server is written to. `whole`: in one transaction instead of resource by resource. `authorize` gives the headers
    that say who we are, `forget` is told that they were refused."""

    whole: bool = False
    authorize: Authorize = nobody
    forget: Callable[[], None] = lambda: None


class FhirReceiver:
    """ports.Receiver over HTTP. `failures`, `answered` and `tls` as MllpReceiver has them (`tls` None: the authorities of
    the system)."""

    def __init__(
        self,
        name: str,
        destination: Destination,
        settings: HttpSettings,
        answered: Callable[[str, float], None] = lambda code, seconds: None,
        how: How = How(),  # noqa: B008  it is frozen
    ) -> None:
        self.name, self.failures, self.tls = name, 0, None
        self.may_send: MaySend = always
        self._system: ssl.SSLContext | None = None  # with the authorities of the system, once it is needed
        self._destination, self._settings, self._answered, self._how = destination, settings, answered, how
        self._turn = asyncio.Lock()

    tls: ssl.SSLContext | None

    async def send(self, raw: bytes, control_id: str) -> Written:
        """Write what one delivery holds. Retry where an answer was missing or cannot be trusted: the same bytes go again,
        and what is there already is found."""
        async with self._turn:
            begun = asyncio.get_running_loop().time()
            code, exchange = "timeout", None
            wanted = _wanted(raw)
            if wanted is None:
                return Written(OTHER_KIND)
            try:
                async with client(await self._context(), self._settings) as connections:
                    to = self._destination, await self._destination.addresses()
                    check(self.may_send)
                    exchange = Exchange(connections, to, self._settings, self._how.authorize, self._how.forget)
                    written = await _write(_Server(exchange), wanted, self._how.whole)
                    written = msgspec.structs.replace(written, control_id=control_id)
                code = written.code
            except Refusal as refusal:
                written, code = refusal.written, refusal.written.code
            except Retry as fault:
                self._failed(type(fault).__name__)
                fault.answer = exchange.heard if exchange is not None else b""
                raise
            except Unreadable as fault:
                self._failed(type(fault).__name__)
                raise Retry(Reason.NO_ANSWER, str(fault), exchange.heard if exchange is not None else b"") from fault
            except (OSError, ValueError, httpx2.HTTPError) as fault:
                self._failed(type(fault).__name__)
                text = f"No answer ({_told(fault)})"
                raise Retry(Reason.NO_ANSWER, text, exchange.heard if exchange is not None else b"") from None
            finally:
                self._answered(code, asyncio.get_running_loop().time() - begun)
            self.failures = 0
            return msgspec.structs.replace(written, raw=exchange.heard if exchange is not None else b"")

    async def _context(self) -> ssl.SSLContext | None:
        if self.tls is None and self._system is None and self._destination.scheme == "https":
            self._system = await asyncio.to_thread(ssl.create_default_context)
        return self.tls or self._system

    def close(self) -> None:
        """Nothing is open between deliveries."""

    def _failed(self, error: str) -> None:
        self.failures += 1
        _log.warning("no_answer", receiver=self.name, error=error, count=self.failures)


def _wanted(raw: bytes) -> Sequence[Wanted] | None:
    try:
        return answers.wanted(raw)
    except Unreadable:
        return None


def _told(fault: BaseException) -> str:
    """The kind of a fault, and of TLS why; never its words, which may hold an address or more."""
    inner: BaseException | None = fault
    while inner is not None:
        if isinstance(inner, ssl.SSLError):
            return f"TLS: {SENTENCES[why(inner)]}"
        inner = inner.__cause__ or inner.__context__
    return type(fault).__name__


# ---------------------------------------------------------------- what there is to write


async def _write(server: _Server, wanted: Sequence[Wanted], whole: bool) -> Written:
    return Written(str(await (_together(server, wanted) if whole else _one_by_one(server, wanted))))


async def _one_by_one(server: _Server, wanted: Sequence[Wanted]) -> int:
    """Each in its turn; the last status that was given."""
    ids: dict[str, str] = {}
    for one in wanted:
        id = await _one(server, msgspec.structs.replace(one, resource=answers.linked(one.resource, ids)))
        if id:
            ids[one.url] = f"{one.kind}/{id}"
    return server.status


async def _one(server: _Server, one: Wanted) -> str:
    """The logical id of a resource once it is there as it should be; empty where it is withdrawn and never was there."""
    created = posted = False
    for _round in range(ROUNDS):
        theirs = await server.found(one, FINDABLE_S if posted else ())
        if theirs is None:
            if one.withdrawn:
                return ""
            if posted:
                raise Retry(Reason.NO_ANSWER, UNBELIEVED)
            reply = await server.create(one)
            if reply.status in CHANGED:
                continue
            posted, created = True, reply.status == CREATED
            if created and (id := await server.read_back(one, reply)):
                return id
            continue
        ours = answers.updated(theirs, one.resource)
        if created or not one.updates or answers.same(theirs, ours):
            return answers.id_of(theirs)
        if (await server.replace(one.kind, theirs, ours)).status not in CHANGED | GONE:
            await server.check(one, theirs, ours)
            return answers.id_of(theirs)
    raise Retry(Reason.NO_ANSWER, "Somebody else writes the same resource at the same time")


class _Pending(NamedTuple):
    """A resource that is not there as it should be: what is there, and what would be."""

    wanted: Wanted
    theirs: Resource | None
    ours: Resource


async def _together(server: _Server, wanted: Sequence[Wanted]) -> int:
    """All in one transaction of what is not there yet as it should be."""
    sent: dict[str, Resource | None] = {}
    for _round in range(ROUNDS):
        pending = await _pending(server, wanted, sent)
        if all(_taken(one, sent) for one in pending):
            return server.status
        if sent:
            raise Retry(Reason.NO_ANSWER, UNBELIEVED)
        entries = [await _entry(server, one) for one in pending]
        bundle = _encode({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if (await server.write("POST", "", bundle)).status not in CHANGED:
            sent = {one.wanted.url: one.theirs for one in pending}
    raise Retry(Reason.NO_ANSWER, "Somebody else writes the same resources at the same time")


async def _pending(server: _Server, wanted: Sequence[Wanted], sent: Container[str]) -> list[_Pending]:
    found: list[_Pending] = []
    ids: dict[str, str] = {}
    for one in wanted:
        theirs = await server.found(one, FINDABLE_S if one.url in sent else ())
        ours = answers.linked(one.resource, ids)
        if theirs is None:
            found += [] if one.withdrawn else [_Pending(one, None, ours)]
            continue
        ids[one.url] = f"{one.kind}/{answers.id_of(theirs)}"
        ours = answers.updated(theirs, ours)
        if one.updates and not answers.same(theirs, ours):
            found.append(_Pending(one, theirs, ours))
    return found


def _taken(one: _Pending, sent: Mapping[str, Resource | None]) -> bool:
    """Whether it was sent, and is there."""
    if one.wanted.url not in sent or one.theirs is None:
        return False
    before = sent[one.wanted.url]
    return before is None or answers.took(before, one.theirs, one.ours)


async def _entry(server: _Server, one: _Pending) -> Resource:
    kind, key = one.wanted.kind, one.wanted.key
    request = {"method": "POST", "url": kind, "ifNoneExist": key.query}
    if one.theirs is not None:
        tag = await server.tag(kind, one.theirs)
        request = {"method": "PUT", "url": f"{kind}/{answers.id_of(one.theirs)}", **({"ifMatch": tag} if tag else {})}
    return {"fullUrl": one.wanted.url, "resource": one.ours, "request": request}


class _Server:
    """What is asked of a server; `status` is that of its last answer to a write, or to a look where nothing was written."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self.status = exchange, 200

    async def found(self, one: Wanted, waits: Sequence[float] = ()) -> Resource | None:
        """Ours, where it is there. Refusal where there are several. `waits`: it was just written, and may be found a little
        later than it was."""
        for wait in (*waits, None):
            reply = await self._exchange.ask("GET", f"{one.kind}?{one.key.query}", headers=STRICT)
            if reply.status != 200:
                raise _refused(reply)
            ours = [each for each in answers.matches(reply.body, one.kind, one.key) if answers.id_of(each)]
            if len(ours) > 1:
                raise Refusal("412", "multiple-matches", f"{one.kind}.{one.key.parameter.strip('_')}")
            if ours:
                return ours[0]
            if wait is not None:
                await asyncio.sleep(wait)
        return None

    async def create(self, one: Wanted) -> Reply:
        return await self.write("POST", one.kind, _encode(one.resource), {"If-None-Exist": one.key.query})

    async def replace(self, kind: str, theirs: Resource, ours: Resource) -> Reply:
        tag = await self.tag(kind, theirs)
        return await self.write(
            "PUT", f"{kind}/{answers.id_of(theirs)}", _encode(ours), {"If-Match": tag} if tag else {}
        )

    async def check(self, one: Wanted, before: Resource, ours: Resource) -> None:
        """Retry where an update is not there although it was answered."""
        after = await self.found(one)
        if after is None or not answers.took(before, after, ours):
            raise Retry(Reason.NO_ANSWER, UNBELIEVED)

    async def read_back(self, one: Wanted, reply: Reply) -> str:
        """The id that was given to what was just created, where it is read there under our own identifier; else empty."""
        named = (reply.headers.get(name, "") for name in ("location", "content-location"))
        id = next(filter(None, (answers.located(one_of, one.kind) for one_of in named)), "") or _id_in(reply.body, one)
        if not id:
            return ""
        found = await self._exchange.ask("GET", f"{one.kind}/{id}")
        try:
            theirs = answers.read(found.body) if found.status == 200 else {}
        except Unreadable:
            return ""
        return id if theirs.get("resourceType") == one.kind and one.key.borne_by(theirs) else ""

    async def write(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """A write that was taken, or that did not meet what it expected. Refusal where it was refused as it is."""
        reply = await self._exchange.ask(method, path, body, headers or {})
        known = CHANGED | GONE if method == "PUT" else CHANGED
        if reply.status not in known and not 200 <= reply.status < 300:
            raise _refused(reply)
        self.status = reply.status
        return reply

    async def tag(self, kind: str, theirs: Resource) -> str:
        """The version of a resource, asked for where the search did not tell; empty where the server has none."""
        if found := answers.version_of(theirs):
            return found
        reply = await self._exchange.ask("GET", f"{kind}/{answers.id_of(theirs)}")
        tag = reply.headers.get("etag", "") if reply.status == 200 else ""
        return tag if len(tag) <= LONGEST_TAG and tag.isprintable() else ""


def _id_in(body: bytes, one: Wanted) -> str:
    try:
        found = answers.read(body) if body else {}
    except Unreadable:
        return ""
    return answers.id_of(found) if found.get("resourceType") == one.kind else ""


def _refused(reply: Reply) -> Refusal:
    """A redirection is refused with the rest: the target is the configuration's."""
    return Refusal(str(reply.status), *answers.refusal(reply.body))
