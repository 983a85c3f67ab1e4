"""Every route: its page and the right it asks for. What is not listed here is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.responses import Response

from labbridge.model.people import Right, Scope
from labbridge.web.pages import (
    alike,
    attachments,
    by_rule,
    calls,
    cases,
    changes,
    codes,
    explaining,
    exports,
    hospital,
    knowledge,
    messages,
    outbox,
    people,
    previewing,
    repairs,
    replays,
    retests,
    second,
    sign_in,
    smart,
    status,
    wordings,
    worklist,
)


class Route(NamedTuple):
    """`right`: what a person needs beside a sign-in, None for nothing more. `open`: for whoever comes (contract.md, HTTP).
    `polled`: a page asks for it by itself, so that it is no sign of a person and keeps no sign-in alive. `scope`: which
    tokens of programs are let in, None for none."""

    method: str
    path: str
    page: Callable[..., Response | Awaitable[Response]]
    right: Right | None = None
    open: bool = False
    polled: bool = False
    scope: Scope | None = None


ROUTES = (
    Route("GET", "/livez", sign_in.alive, open=True),
    Route("GET", "/login", sign_in.form, open=True),
    Route("POST", "/login", sign_in.sign_in, open=True),
    Route("GET", "/login/oidc", hospital.begin, open=True),
    Route("GET", hospital.CALLBACK, hospital.back, open=True),
    Route("GET", smart.CONFIGURATION, smart.configuration, open=True),
    Route("GET", smart.OF_FHIR, smart.configuration, open=True),
    Route("GET", smart.KEYS, smart.keys, open=True),
    Route("POST", smart.TOKEN, smart.token, open=True),
    Route("GET", "/login/oidc/again", hospital.again, Right.SIGN),
    Route("GET", "/", sign_in.first),
    Route("POST", "/logout", sign_in.sign_out),
    Route("GET", "/account", sign_in.account),
    Route("POST", "/account", sign_in.prefer),
    Route("POST", "/account/password", sign_in.change_password),
    Route("GET", "/worklist", worklist.listed, Right.SEE_CASES),
    Route("GET", "/worklist/news", worklist.news, Right.SEE_CASES, polled=True),
    Route("GET", "/worklist/print", worklist.printed, Right.SEE_CASES),
    Route("POST", "/worklist/find", worklist.find, Right.SEE_CASES),
    Route("POST", "/worklist/note", worklist.note, Right.DECIDE),
    Route("GET", "/worklist/export.csv", exports.as_csv, Right.EXPORT),
    Route("GET", "/worklist/export.jsonl", exports.as_json_lines, Right.EXPORT),
    Route("GET", "/worklist/columns.csv", exports.columns, Right.EXPORT),
    Route("GET", "/cases/{case}", cases.one, Right.SEE_CASES),
    Route("POST", "/cases/{case}/decide", cases.decide, Right.DECIDE),
    Route("POST", "/cases/{case}/sign", cases.sign, Right.SIGN),
    Route("POST", "/cases/{case}/countersign", cases.countersign, Right.SECOND_READ),
    Route("POST", "/cases/{case}/call", calls.call, Right.DECIDE),
    Route("POST", "/cases/{case}/remark", calls.remark, Right.DECIDE),
    Route("POST", "/cases/{case}/review", by_rule.review, Right.DECIDE),
    Route("GET", "/release", by_rule.standing, Right.SUSPEND),
    Route("POST", "/release/suspend", by_rule.suspend, Right.SUSPEND),
    Route("POST", "/release/resume", by_rule.resume, Right.RESUME),
    Route("GET", "/retests", retests.listed, Right.SEE_CASES),
    Route("POST", "/retests/{retest}/cancel", retests.cancel, Right.DECIDE),
    Route("GET", "/cases/{case}/reading", second.form, Right.SECOND_READ),
    Route("POST", "/cases/{case}/reading", second.read, Right.SECOND_READ),
    Route("GET", "/cases/{case}/explain", explaining.explain, Right.SEE_CASES),
    Route("GET", "/cases/{case}/evidence/{message}/{name}/{number}", explaining.evidence, Right.SEE_CASES),
    Route("GET", "/cases/{case}/evidence/{message}/{place}", explaining.element, Right.SEE_CASES),
    Route("GET", "/cases/{case}/preview", previewing.kept, Right.SEE_CASES),
    Route("POST", "/cases/{case}/preview", previewing.typed, Right.DECIDE),
    Route("GET", "/cases/{case}/attachments", attachments.listed, Right.SEE_CASES),
    Route("GET", "/cases/{case}/attachments/{message}/{number}", attachments.one, Right.SEE_CASES),
    Route("GET", "/cases/{case}/alike", alike.listed, Right.SIGN),
    Route("POST", "/cases/{case}/alike", alike.sign, Right.SIGN),
    Route("GET", "/readings", second.agreements, Right.SECOND_READ),
    Route("GET", "/messages", messages.listed, Right.SEE_MESSAGES),
    Route("POST", "/messages/reprocess", messages.reprocess, Right.REPAIR),
    Route("GET", "/messages/{message}", messages.one, Right.SEE_MESSAGES),
    Route("POST", "/messages/{message}/again", messages.again, Right.REPAIR),
    Route("POST", "/messages/{message}/open", repairs.opened, Right.OPEN_RAW),
    Route("POST", "/messages/{message}/edit", repairs.edit, Right.REPAIR),
    Route("POST", "/messages/{message}/approve", repairs.approve, Right.REPAIR),
    Route("GET", "/messages/{message}/who", repairs.who, Right.DECIDE),
    Route("POST", "/messages/{message}/identity", repairs.identity, Right.DECIDE),
    Route("POST", "/messages/{message}/unlink", repairs.unlink, Right.DECIDE),
    Route("GET", "/outbox", outbox.listed, Right.SEE_MESSAGES),
    Route("GET", "/outbox/{delivery}", outbox.one, Right.SEE_MESSAGES),
    Route("POST", "/outbox/{delivery}/open", outbox.opened, Right.OPEN_RAW),
    Route("POST", "/outbox/{delivery}/again", outbox.again, Right.REPAIR),
    Route("GET", "/wordings", wordings.listed, Right.SEE_CASES),
    Route("GET", "/wordings/export.csv", wordings.as_csv, Right.EXPORT),
    Route("GET", "/knowledge", knowledge.listed, Right.SEE_KNOWLEDGE),
    Route("GET", "/replays", replays.listed, Right.SEE_KNOWLEDGE),
    Route("POST", "/replays", replays.begin, Right.TRY_KNOWLEDGE),
    Route("GET", "/replays/{replay}", replays.one, Right.SEE_KNOWLEDGE),
    Route("POST", "/replays/{replay}/{number}", replays.say, Right.TRY_KNOWLEDGE),
    Route("GET", "/codes", codes.listed, Right.SEE_KNOWLEDGE),
    Route("GET", "/codes/one", codes.one, Right.SEE_KNOWLEDGE),
    Route("POST", "/codes/assign", codes.assign, Right.AUTHOR_KNOWLEDGE),
    Route("GET", "/changes", changes.listed, Right.SEE_KNOWLEDGE),
    Route("POST", "/changes", changes.write, Right.AUTHOR_KNOWLEDGE),
    Route("GET", "/changes/{change}", changes.one, Right.SEE_KNOWLEDGE),
    Route("POST", "/changes/{change}/approve", changes.approve, Right.APPROVE_KNOWLEDGE),
    Route("POST", "/changes/{change}/take", changes.take, Right.APPROVE_KNOWLEDGE),
    Route("POST", "/changes/{change}/again", changes.again, Right.APPROVE_KNOWLEDGE),
    Route("POST", "/changes/{change}/give-up", changes.give_up, Right.TRY_KNOWLEDGE),
    Route("POST", "/changes/{change}/try", changes.attempt, Right.TRY_KNOWLEDGE),
    Route("GET", "/changes/{change}/pack", changes.pack, Right.TRY_KNOWLEDGE),
    Route("GET", "/knowledge/{item:path}", knowledge.one, Right.SEE_KNOWLEDGE),
    Route("POST", "/knowledge/sign", knowledge.sign, Right.SEE_KNOWLEDGE),
    Route("POST", "/knowledge/reload", knowledge.reload, Right.APPROVE_KNOWLEDGE),
    Route("GET", "/status", status.page, Right.SEE_STATUS),
    Route("GET", "/status/figures", status.figures, Right.SEE_STATUS, polled=True),
    Route("GET", "/people", people.everybody, Right.MANAGE_PEOPLE),
    Route("POST", "/people", people.add, Right.MANAGE_PEOPLE),
    Route("POST", "/people/{login}", people.change, Right.MANAGE_PEOPLE),
)
