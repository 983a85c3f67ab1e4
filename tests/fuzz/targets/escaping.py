"""Escapes: what is encoded reads back, holds nothing that separates, and what others escaped loses no text."""

from __future__ import annotations

import re

from labbridge.hl7 import escapes, reader
from labbridge.hl7.escapes import STANDARD, Delimiters
from tests.fuzz.target import Target, must, parts, text

CODECS = ("utf-8", "iso8859_1", "cp1252", "gb18030")
PUNCTUATION = "!\"#$%&'()*+,-/:;<=>?@[\\]^_`{|}~"


def check(data: bytes) -> None:
    marks_sent, sent = parts(data, 2)
    marks = delimiters(text(marks_sent))
    codec = CODECS[len(marks_sent) % len(CODECS)]
    written = text(sent)
    _decoded(written, marks)
    if written.encode(codec, "ignore").decode(codec) != written:
        return
    encoded = escapes.encode(written, marks, codec)
    must(escapes.decode(encoded, marks, codec) == written, "a text does not read back as it was written")
    apart = {marks.field, marks.component, marks.repetition, marks.subcomponent, marks.truncation} - {""}
    must(not apart & set(encoded), "a delimiter stands in an encoded text")
    must(not re.search("[\\x00-\\x1f\\x7f]", encoded), "a control character stands in an encoded text")
    _in_a_message(encoded, marks, codec)


def delimiters(given: str) -> Delimiters:
    """The punctuation of a text as delimiters, in order; the usual ones where it has fewer than five."""
    marks = list(dict.fromkeys(one for one in given if one in PUNCTUATION))
    names = ("field", "component", "repetition", "escape", "subcomponent", "truncation")
    return Delimiters(**dict(zip(names, marks, strict=False))) if len(marks) >= 5 else STANDARD


def _in_a_message(encoded: str, marks: Delimiters, codec: str) -> None:
    names = {"utf-8": "UNICODE UTF-8", "iso8859_1": "8859/1", "cp1252": "CP1252", "gb18030": "GB18030"}
    field = marks.field
    declared = escapes.encode(names[codec], marks)
    raw = f"MSH{field}{marks.msh2}{field * 16}{declared}\rNTE{field}1{field}L{field}{encoded}{field}RE\r".encode(codec)
    message = reader.read(raw, codec if codec in ("cp1252", "gb18030") else names[codec])
    must([one.name for one in message.segments] == ["MSH", "NTE"], "a text made a segment")
    nte = message.segments[1]
    must((nte.length, nte.field(4)) == (4, "RE"), "a text made a field")
    must(nte.field(3) == encoded, "a field is another than was written")


def _decoded(sent: str, marks: Delimiters) -> None:
    """Against the grammar as one expression and its meanings as a table; what is neither stays as sent."""
    mark = re.escape(marks.escape)
    simple = {
        "F": marks.field, "S": marks.component, "T": marks.subcomponent or "&", "R": marks.repetition,
        "E": marks.escape, "P": marks.truncation or "#", "H": "", "N": "",
    }  # fmt: skip
    kept = r"Z[0-9A-Za-z]*|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?"
    command = r"\.(?i:br|ce|sp\ *\+?\d*|sk\ *\+?\d*|fi|nf|in\ *[+-]?\d*|ti\ *[+-]?\d*)"
    grammar = re.compile(f"{mark}(?P<body>[FSTREPHN]|X(?:[0-9A-Fa-f]{{2}})+|{kept}|{command}){mark}")

    def meaning(found: re.Match[str]) -> str:
        body = found["body"]
        if body in simple:
            return simple[body]
        if body[0] == "X":
            try:
                return bytes.fromhex(body[1:]).decode("utf-8")
            except UnicodeDecodeError:
                return found[0]
        if body[0] == ".":
            return {"br": "\n", "ce": "\n", "sp": "\n", "sk": " "}.get(body[1:3].lower(), "")
        return found[0]

    must(escapes.decode(sent, marks) == grammar.sub(meaning, sent), "a text decodes to another than the table says")


TARGET = Target(name="escaping", check=check, product=("labbridge.hl7.escapes", "labbridge.hl7.reader"), longest=1024)
