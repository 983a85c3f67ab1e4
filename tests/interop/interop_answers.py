"""An acknowledgement as python-hl7 reads it, as one line of JSON: what each of its clients here prints."""

from __future__ import annotations

import json

import hl7


def as_json(answer: hl7.Message) -> str:
    msa = answer.segment("MSA")
    errors = answer.segments("ERR") if msa[1] != ["AA"] else []  # segments() raises where there is none
    return json.dumps({"code": str(msa[1]), "id": str(msa[2]), "text": str(errors[0][8]) if errors else ""})
