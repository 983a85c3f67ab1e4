r"""hl7apy's server as a LIS: prints one line of JSON for each message as it reads it, and answers as the control id asks:
AE.. and AR.. get that code, NO.. an acceptance that names another message, all others AA.

It ends the connection after each answer. Its parser makes `\E\.br\E\` of `\.br\`: the text is taken from the message as its
server hands it over.

usage: serve_hl7apy.py PORT
"""

from __future__ import annotations

import json
import sys

from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message


class Lis(AbstractHandler):  # type: ignore[misc]
    def reply(self) -> str:
        raw = self.incoming_message
        id = parse_message(raw, find_groups=False).msh.msh_10.value
        obx = next(line for line in raw.split("\r") if line.startswith("OBX|"))
        print(json.dumps({"id": id, "text": obx.split("|")[5], "raw": raw}), flush=True)
        return str(answer_to(id).to_mllp())


def answer_to(id: str) -> Message:
    wanted = id[:2]
    answer = Message("ACK", version="2.5.1")
    answer.msh.msh_9 = "ACK"
    answer.msa.msa_1 = wanted if wanted in ("AE", "AR") else "AA"
    answer.msa.msa_2 = "ANOTHER" if wanted == "NO" else id
    return answer


if __name__ == "__main__":
    MLLPServer("127.0.0.1", int(sys.argv[1]), {"ORU^R01^ORU_R01": (Lis,)}, timeout=20).serve_forever()
