"""Processes of the service's own."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def go_with_the_service() -> None:
    """To be called in a child: it ends when its parent does. A killed service leaves none behind that goes on."""
    threading.Thread(target=_gone, name="with-the-service", daemon=True).start()


def _gone() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(0)
