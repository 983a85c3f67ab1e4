"""By which method a result was made, and how we know: OBX-17, local code, kit name, test name, LOINC, feed default."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from labbridge.knowledge.terminology import CodeRow, KitRow, Terminology
from labbridge.knowledge.words import fold
from labbridge.model.report import Observation
from labbridge.model.result import Analyte, Family, Method
from labbridge.model.values import Coding
from labbridge.model.work import Feed

NOTE_OF = {"local code": "N103", "kit name": "N104", "feed default": "N105"}


class Methods:
    """Resolves methods by the terminology; remembers what it has resolved."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._seen: dict[tuple[object, ...], Method | None] = {}

    def of(self, observation: Observation, row: CodeRow, analyte: Analyte, feed: Feed) -> Method | None:
        """The method of an observation; None when nothing it sends, and nothing known of its sender, names one."""
        if analyte in (Analyte.CK, Analyte.CREATININE):
            return self._method("enzymatic", source="analyte")
        default = feed.default_method.get(analyte.value)
        key = (observation.methods, row, analyte, observation.equipment, observation.notes, observation.codes, default)
        if key not in self._seen:
            if len(self._seen) > 20_000:
                self._seen.clear()
            self._seen[key] = self._as_ana(self._of(observation, row, analyte, feed), analyte)
        return self._seen[key]

    def _of(self, observation: Observation, row: CodeRow, analyte: Analyte, feed: Feed) -> Method | None:
        """The method with its kit and maker. A kit that does not carry the analyte made none of its results: then it is
        not known what did."""
        found = self._resolve(observation, row, analyte, feed)
        if found is None:
            return None
        elsewhere = " ".join((*observation.equipment, *observation.notes))
        if not found.assay:  # the sender's own word for the method does not unsay the kit its code or equipment names
            kits = (self._terminology.kits.get(row.assay), self._kit(elsewhere))
            kit = next((one for one in kits if one is not None and one.method == found.code), None)
            found = self._method(found.code, kit=kit, source=found.source) if kit is not None else found
        kit = self._terminology.kits.get(found.assay) if found is not None else None
        if kit is not None and analyte.value in kit.antigens_absent:
            return None
        return self._made(found, _sent(observation), elsewhere)

    def _made(self, method: Method | None, sent: str, elsewhere: str) -> Method | None:
        """The manufacturer that OBX-17, the equipment or a note names, where the kit names none."""
        if method is None or method.manufacturer:
            return method
        maker = _first(fold(f"{sent} {elsewhere}"), self._terminology.maker_words)
        return msgspec.structs.replace(method, manufacturer=maker) if maker else method

    def _as_ana(self, method: Method | None, analyte: Analyte) -> Method | None:
        """An ANA by anything but HEp-2 cells never saw one: it is a solid-phase screen (clinical.md C2)."""
        if analyte is not Analyte.HEP2 or method is None or method.family in (Family.HEP2_IIF, Family.SOLID_PHASE_ANA):
            return method
        return msgspec.structs.replace(method, family=Family.SOLID_PHASE_ANA)

    def _resolve(self, observation: Observation, row: CodeRow, analyte: Analyte, feed: Feed) -> Method | None:
        sent = _sent(observation)
        names = " ".join(coding.display for coding in observation.codes)
        elsewhere = " ".join((*observation.equipment, *observation.notes))
        local = row.method if row.code not in self._terminology.codes.get("loinc", {}) else ""
        steps: tuple[Callable[[], Method | None], ...] = (
            lambda: self._coded(observation.methods, sent),
            lambda: self._exact(self._worded(sent, "OBX-17"), row, local),
            lambda: self._of_row(row, local, sent),
            lambda: self._of_kit(elsewhere, "kit name"),
            lambda: self._worded(names, "test name"),
            lambda: self._method(row.method, source="LOINC") if row.method else None,
            lambda: self._method(feed.default_method.get(analyte.value, ""), source="feed default"),
        )
        return next((method for step in steps if (method := step()) is not None), None)

    def _coded(self, codings: tuple[Coding, ...], text: str) -> Method | None:
        """A method named by our own code (system LABBRIDGE), with the kit its text names."""
        for coding in codings:
            if self._terminology.system(coding) == "method" and coding.code in self._terminology.methods:
                kit = self._kit(text)
                fits = kit if kit and kit.method == coding.code else None
                if kit is not None and self._terminology.methods[kit.method].family is Family.SOLID_PHASE_ANA:
                    fits = kit  # the kit's name is more exact than "ELISA"
                return self._method(fits.method if fits else coding.code, kit=fits, source="OBX-17")
        return None

    def _worded(self, text: str, source: str) -> Method | None:
        return self._of_kit(text, source) or self._of_words(text, source)

    def _exact(self, said: Method | None, row: CodeRow, local: str) -> Method | None:
        """`Blot` in OBX-17 leaves open which kind of blot; the sender's own code says it, where it names a method of that
        family with limits of its own."""
        kit, methods = self._terminology.kits.get(row.assay), self._terminology.methods
        own = methods.get(kit.method if kit else local)
        if said is None or said.assay or own is None or own.family is not said.family or not own.bands:
            return said
        return said if methods[said.code].bands else self._method(own.id, source="local code")

    def _of_row(self, row: CodeRow, method: str, text: str) -> Method | None:
        kit = self._terminology.kits.get(row.assay)
        return self._method(kit.method if kit else method, kit=kit, source="local code") if kit or method else None

    def _of_kit(self, text: str, source: str) -> Method | None:
        kit = self._kit(text)
        return self._method(kit.method, kit=kit, source=source) if kit else None

    def _kit(self, text: str) -> KitRow | None:
        return self._terminology.kits.get(_first(fold(text), self._terminology.kit_words))

    def _of_words(self, text: str, source: str) -> Method | None:
        return self._method(_first(fold(text), self._terminology.method_words), source=source)

    def _method(self, id: str, *, source: str, kit: KitRow | None = None) -> Method | None:
        row = self._terminology.methods.get(id)
        if row is None:
            return None
        return Method(
            code=row.id,
            family=row.family,
            tier=row.tier,
            name=(kit.name if kit else "") or row.name,
            assay=kit.id if kit else "",
            manufacturer=kit.manufacturer if kit else "",
            source=source,
        )


def _sent(observation: Observation) -> str:
    return " ".join(part for coding in observation.methods for part in (coding.display, coding.code))


def _first(folded: str, words: tuple[tuple[str, str], ...]) -> str:
    """The id of the longest word the text holds; empty where it holds none."""
    return next((id for word, id in words if word in folded), "")
