"""ports.Judge in a process of its own: hl7apy is large, and takes a second to load, so the process stays for a while."""

from __future__ import annotations

import multiprocessing
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from labbridge.children import go_with_the_service
from labbridge.errors import Refused
from labbridge.fhir.outgoing import R4
from labbridge.hl7.ordering import OrderForm, OrderLetter
from labbridge.rows import outgoing

WITHIN_S = 60.0
KEPT_S = 60.0  # after its last use


class JudgeProcess:
    """One process at a time, begun when it is first asked. Whoever is asked from several threads answers them in turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._ends: threading.Timer | None = None

    def judge(self, raw: bytes, text: str, version: str) -> Sequence[str]:
        """What is wrong with a comment. Refused where no answer came: nothing may be sent that was not judged."""
        return self._ask(_judge, raw, text, version)

    def judge_order(self, raw: bytes, letter: OrderLetter, form: OrderForm) -> Sequence[str]:
        """What is wrong with an order, as for a comment."""
        return self._ask(_judge_order, raw, letter, form)

    def _ask(self, judge: Callable[..., list[str]], *about: object) -> Sequence[str]:
        with self._lock:
            if self._ends is not None:
                self._ends.cancel()
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=go_with_the_service)
            try:
                return self._pool.submit(judge, *about).result(WITHIN_S)
            except (BrokenProcessPool, TimeoutError):
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None
                raise Refused("The check of the outgoing message did not end; nothing was signed, try again") from None
            finally:
                self._ends = threading.Timer(KEPT_S, _end, (weakref.ref(self),))
                self._ends.daemon = True
                self._ends.start()

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()


def _end(reference: weakref.ref[JudgeProcess]) -> None:
    """A judge that is no longer held by anybody took its process with it."""
    found = reference()
    if found is not None:
        found.close()


# ---------------------------------------------------------------- the process


def _judge(raw: bytes, text: str, version: str) -> list[str]:
    if version == R4:
        from labbridge.fhir import conformance as of_fhir

        return of_fhir.judge(raw, text)
    if version == outgoing.ODBC:
        return outgoing.faults(raw, text)
    from labbridge.hl7 import conformance

    return conformance.judge(raw, text, version)


def _judge_order(raw: bytes, letter: OrderLetter, form: OrderForm) -> list[str]:
    from labbridge.hl7 import order_conformance

    return order_conformance.judge(raw, letter, form)
