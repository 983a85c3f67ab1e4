"""Which characters a message's bytes are: MSH-18 (table 0211) or the feed's own word, decoded strictly.

Nothing is ever replaced: a name with U+FFFD can be matched to nobody. Bytes that do not fit refuse the message whole,
and so do bytes that would not come back the same: what we echo to a receiver must be what its laboratory sent.
"""

from __future__ import annotations

import re

from labbridge.errors import Refuse

# Table 0211, and spellings seen in its place. Keys are folded: upper case, without space, hyphen, underscore, slash.
CODECS = {
    "": "ascii",
    "ASCII": "ascii",
    **{f"8859{part}": f"iso8859_{part}" for part in (*range(1, 12), *range(13, 17))},
    **{f"ISO8859{part}": f"iso8859_{part}" for part in (*range(1, 12), *range(13, 17))},
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",  # deprecated name; the UTF-16 it could also mean cannot be framed in MLLP
    "WINDOWS1250": "cp1250",
    "WINDOWS1252": "cp1252",
    "CP1250": "cp1250",
    "CP1252": "cp1252",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "BIG5": "big5",
    "KSX1001": "euc_kr",
}


# In these some characters have more than one spelling: whether the bytes come back the same is looked at each time.
AMBIGUOUS = ("gb18030", "big5", "euc_kr")
_SWITCH = re.compile("\x1b[$(-/]")  # ISO 2022: what follows is of another character set, whatever MSH-18 says


def codec(name: str) -> str | None:
    """The Python codec of a character set's name; None for one that is not known."""
    folded = name.strip().upper()
    for filler in " -_/":
        folded = folded.replace(filler, "")
    return CODECS.get(folded)


def decode(raw: bytes, declared: str, override: str = "") -> tuple[str, str]:
    """Text and codec of a message. `declared` is MSH-18 (its first repetition counts), `override` the feed's charset.

    Refuse(102, MSH^1^18) for an unknown name or bytes that do not fit: the sender must change what it sends, or a
    person must set the feed's charset; either way the message is quarantined whole (reliability.md T-46). 102 (data
    type error), because the bytes are not of the type MSH-18 says; its place, because that is where the repair is.
    """
    name = override or declared
    found = codec(name)
    if found is None and not override and raw.isascii():
        found = "ascii"  # the same characters in every set of table 0211: nothing is guessed
    if found is None:
        raise Refuse("The character set in MSH-18 is not known here", code="102", location="MSH^1^18")
    try:
        text = raw.decode(found)
    except UnicodeDecodeError as error:
        fault = f"The bytes do not fit the character set {found} (at byte {error.start})"
        raise Refuse(fault, code="102", location="MSH^1^18") from None
    if "\x1b" in text and _SWITCH.search(text):
        raise Refuse("The text changes its character set on the way", code="102", location="MSH^1^18")
    if found in AMBIGUOUS and text.encode(found) != raw:
        raise Refuse(f"The bytes are not the usual ones of {found}", code="102", location="MSH^1^18")
    return text, found
