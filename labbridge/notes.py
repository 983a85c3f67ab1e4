"""Numbered observations about odd input. A note carries a code and a position, never a value (architecture.md).

Numbers are never reused. N0xx: wire and structure; N1xx: codes, units, methods; N2xx: values and times; N3xx: history.
"""

from __future__ import annotations

from labbridge.model.report import PlacedNote

NOTES: dict[str, str] = {
    "N001": "Segments end with LF or CRLF instead of CR.",
    "N003": "The final CR after the end-of-block byte is missing.",
    "N004": "A byte order mark stands before MSH.",
    "N005": "A segment name is in lower case.",
    "N006": "A segment unknown to the message's grammar was kept and not read.",
    "N007": "The version in MSH-12 is unknown; read as 2.5.1.",
    "N008": "A vendor escape sequence was kept as sent.",
    "N009": "The character set of the feed's configuration was used in place of MSH-18.",
    "N010": "Application acknowledgement was asked for (MSH-16) and no receiver is configured for it.",
    "N011": "MSH-15 or MSH-16 holds a value outside table 0155; read as AL.",
    "N012": "OBX-11 is empty; the status of the report or of the feed was used.",
    "N013": "The encoding characters in MSH-2 are unusual.",
    "N014": "The same control id came before with other content; both were kept.",
    "N015": "Several PID segments: one journal entry, one unit of work per patient.",
    "N016": "More than one OBX carries the same code and sub-id; they are one result.",
    "N017": "The character set in MSH-18 is not known here; every byte is ASCII, and was read as that.",
    "N018": "An OBX after SPM in OUL^R24 was taken as a result: the grammar leaves it open.",
    "N019": "The message names no patient; its results are kept under their specimen.",
    "N020": "Empty lines, or a start byte written twice, stand before MSH.",
    "N021": "This entry of a batch was refused; the sender was told, and it was not read.",
    "N022": "The sender asked to create this only where there is none; there was one, and it was not read.",
    "N101": "No known analyte: kept, not interpreted.",
    "N102": "The code is known, but name or unit contradict it; not interpreted.",
    "N103": "The method was taken from the local code.",
    "N104": "The method was taken from the kit name.",
    "N105": "The method was taken from the feed's default.",
    "N106": "The specimen is not stated; the test's usual specimen is assumed.",
    "N107": "The laboratory's limits and ours differ in sign.",
    "N108": "The specimen role marks a control or a proficiency sample; not interpreted.",
    "N109": "The reference limit sent is not usable; the table's was used.",
    "N110": "A result stands outside every order: no comment could reach it; held for a person.",
    "N111": "No table names this code, and its name or unit speak of an analyte of ours; held for a person.",
    "N201": "The value is not a number of the accepted grammar.",
    "N202": "A comma before exactly three digits is ambiguous.",
    "N203": "Collected after it was received, within clock skew.",
    "N204": "No collection time was sent; a later time stands for it and takes no part in trends.",
    "N205": "The hour occurs twice or never in the feed's time zone.",
    "N206": "The value changed by about the factor between two units; check the unit.",
    "N207": "The reference limit assumed by age and sex was used.",
    "N208": "Only a part of the value could be read; the rest is kept as text.",
    "N209": "A flag that is not listed was kept and not read.",
    "N210": "The flags say both positive and negative; neither was used.",
    "N211": "A flag says that the number is off the instrument's scale; it is read as a minimum or a maximum.",
    "N212": "The reference range sent could not be read; it was not used.",
    "N213": "A number stands where a titre is expected, and nothing says that it is one.",
    "N214": "The value contradicts itself, or its flags.",
    "N215": "A titre stands in the text of a flag.",
    "N216": "A comparator stands after the number, or is a letter or an arrow; the feed does not say what it means.",
    "N217": "The pattern text holds no word or code that is listed.",
    "N218": "HEp-2 is negative, and neither report nor feed says whether that speaks of the cytoplasm.",
    "N301": "A pending version after a usable one was ignored.",
    "N302": "Specimen and order agree on no day; the order's was used.",
    "N303": "Identifier, birth date or sex disagree with the stored patient.",
}


def note(code: str, at: str = "") -> PlacedNote:
    """A note of the registry; KeyError for a code that is not listed."""
    NOTES[code]
    return PlacedNote(code, at)
