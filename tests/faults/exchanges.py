"""Many exchanges of the product's own MLLP client with a LIS that misbehaves: `python -m tests.faults.exchanges SETTINGS`.

Writes down for each message whether it was taken for delivered. The one part of the harness that runs labbridge in place of
starting it: through the whole service a hundred thousand misbehaving answers would take days of waiting between attempts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from labbridge.delivery.mllp import MllpReceiver, ReceiverSettings
from labbridge.errors import Retry
from labbridge.hl7.ack import positive
from tests.faults.journal import History
from tests.faults.messages import plain


async def exchange(receiver: MllpReceiver, control_id: str, history: History) -> None:
    try:
        answer = await receiver.send(plain(control_id, "X").raw, control_id)
        delivered = positive(answer, control_id)
    except Retry:
        delivered = False
    history.write({"ev": "exchange", "id": control_id, "delivered": delivered})


async def line(settings: dict[str, Any], number: int, history: History) -> None:
    receiver = MllpReceiver(
        "lis", ReceiverSettings(host="127.0.0.1", port=settings["port"], timeout_s=0.3, end_grace_s=0.1)
    )
    for count in range(settings["count"]):
        await exchange(receiver, f"X{number}-{count}", history)
    receiver.close()


async def run(settings: dict[str, Any]) -> None:
    history = History(Path(settings["history"]))
    await asyncio.gather(*(line(settings, number, history) for number in range(settings["lines"])))


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
