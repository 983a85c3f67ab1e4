"""Hypothesis strategies for bytes on the wire: messages in any delimiters, blocks, and streams of them."""

from __future__ import annotations

from hypothesis import strategies as st

from labbridge.hl7.escapes import STANDARD, Delimiters
from labbridge.hl7.mllp import frame

PUNCTUATION = "!\"#$%&'()*+,-/:;<=>?@[\\]^_`{|}~"  # without the point: the version in MSH-12 has it
NAMES = ("PID", "PV1", "ORC", "OBR", "OBX", "NTE", "SPM", "ZLB", "Z01", "obx")

# Text without anything that ends a line; every other control character may come.
words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x1b"), max_size=10)


@st.composite
def delimiters(draw: st.DrawFn) -> Delimiters:
    """Any usable MSH-1 and MSH-2 of two to five characters."""
    marks = draw(st.lists(st.sampled_from(PUNCTUATION), min_size=3, max_size=6, unique=True))
    names = ("field", "component", "repetition", "escape", "subcomponent", "truncation")
    return Delimiters(**{"escape": "", "subcomponent": "", **dict(zip(names, marks, strict=False))})


def header(marks: Delimiters = STANDARD, **fields: str) -> str:
    """An MSH that is taken: UTF-8, ORU^R01, 2.5.1. `f10="X"` sets MSH-10."""
    usual = {
        "f3": "LIS", "f4": "LABA", "f5": "LB", "f6": "LABA", "f7": "20261109",
        "f9": f"ORU{marks.component}R01", "f10": "C1", "f11": "P", "f12": "2.5.1", "f18": "UNICODE",
    } | fields  # fmt: skip
    rest = [usual.get(f"f{number}", "") for number in range(3, 19)]
    return marks.field.join(("MSH" + marks.field + marks.msh2, *rest))


@st.composite
def messages(draw: st.DrawFn, marks: Delimiters = STANDARD) -> bytes:
    """A message the reader takes: any segments, any text in their fields, CR, LF or CRLF, with or without the last."""
    count = draw(st.integers(0, 6))
    lines = [header(marks)]
    for _time in range(count):
        fields = draw(st.lists(words, max_size=6))
        lines.append(marks.field.join((draw(st.sampled_from(NAMES)), *fields)))
    ends = draw(st.lists(st.sampled_from(["\r", "\r", "\r\n", "\n"]), min_size=len(lines), max_size=len(lines)))
    if draw(st.booleans()):
        ends[-1] = ""
    return "".join(line + end for line, end in zip(lines, ends, strict=True)).encode()


# What may stand in a stream: whole blocks, pieces of blocks, and what never was one.
pieces = st.one_of(
    st.binary(max_size=40).map(frame),
    messages().map(frame),
    st.binary(max_size=12),
    st.sampled_from(
        [b"\x0b", b"\x1c", b"\r", b"\n", b"\r\n", b"\x1c\r", b"\x1c\x0b", b"\x0bMSH|^~\\&|", b"\xef\xbb\xbf"]
    ),
)
streams = st.lists(pieces, max_size=12).map(b"".join)
