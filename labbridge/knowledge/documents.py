"""Reading one file of mappings/: text in, rows with their line numbers out, faults collected and never raised."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Source(msgspec.Struct, frozen=True):
    """One file of knowledge: its name below mappings/ (`rules/core.yaml`), its text, whether a site laid it over."""

    name: str
    text: str
    site: bool = False


class Fault(msgspec.Struct, frozen=True):
    """Something wrong in a file of knowledge: where, what, and the repair."""

    file: str
    line: int
    message: str
    repair: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} {self.repair}"


class Row(msgspec.Struct, frozen=True):
    """One record of a file with the line it begins on; `site` where the file lies over ours."""

    file: str
    line: int
    fields: dict[str, Any]
    site: bool = False

    def fault(self, message: str, repair: str) -> Fault:
        return Fault(self.file, self.line, message, repair)


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML that keeps what a person wrote: 12.30 stays the text "12.30", a date stays its text, and only true and
    false are booleans (in YAML 1.1 `on`, `no` and `y` would be too)."""


_AS_WRITTEN = ("float", "int", "timestamp", "bool")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag.rpartition(":")[2] not in _AS_WRITTEN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("(?:true|false)$"), ["t", "f"])


def read_yaml(source: Source, faults: list[Fault]) -> Iterator[Row]:
    """The records of a YAML file that is a list of maps. Numbers and dates stay text; true and false are booleans."""
    try:
        node = yaml.compose(source.text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        faults.append(_not_yaml(source, error, 1))
        return
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode):
        faults.append(Fault(source.name, 1, "A list of records is expected.", "Begin each record with '- id: ...'."))
        return
    for item in node.value:
        row = _record(source, item, faults)
        if row is not None:
            yield row


def _record(source: Source, item: yaml.Node, faults: list[Fault]) -> Row | None:
    """One record as a Row; None, with a fault, where it is no map, or a map that says one thing twice."""
    line = item.start_mark.line + 1
    if not isinstance(item, yaml.MappingNode):
        faults.append(Fault(source.name, line, "A record of named fields is expected.", "Write 'name: value' lines."))
        return None
    twice = _named_twice(item)
    if twice is not None:
        place = twice.start_mark.line + 1
        faults.append(Fault(source.name, place, f"{twice.value} is given twice.", "Keep one of the two."))
        return None
    try:
        return Row(source.name, line, _Loader("").construct_document(item), source.site)
    except (yaml.YAMLError, RecursionError) as error:
        faults.append(_not_yaml(source, error, line))
        return None


def _named_twice(record: yaml.MappingNode) -> yaml.Node | None:
    """The first name that a record, or a record inside it, holds twice: YAML itself would keep the last in silence."""
    waiting: list[yaml.Node] = [record]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            names = [name.value for name, _value in node.value if isinstance(name, yaml.ScalarNode)]
            for name, value in node.value:
                if isinstance(name, yaml.ScalarNode) and names.count(name.value) > 1:
                    return name
                waiting.append(value)
    return None


def _not_yaml(source: Source, error: Exception, line: int) -> Fault:
    mark = getattr(error, "problem_mark", None)
    return Fault(source.name, mark.line + 1 if mark else line, "This is not YAML.", "Mend the syntax near this line.")


def read_csv(source: Source, columns: tuple[str, ...], faults: list[Fault]) -> Iterator[Row]:
    """The rows of a CSV file with exactly these columns in its first line; `#` lines and blank lines are skipped."""
    reader = csv.reader(io.StringIO(source.text))
    header = False
    try:
        for cells in reader:
            if not any(cells) or cells[0].startswith("#"):
                continue
            line = reader.line_num
            if not header:
                header = True
                if tuple(cells) != columns:
                    repair = f"Use {','.join(columns)}."
                    faults.append(Fault(source.name, line, "The columns are not the expected ones.", repair))
                    return
            elif len(cells) != len(columns):
                faults.append(
                    Fault(source.name, line, f"{len(cells)} cells, {len(columns)} expected.", "Quote commas.")
                )
            else:
                fields = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
                yield Row(source.name, line, fields, source.site)
    except csv.Error:
        faults.append(Fault(source.name, reader.line_num or 1, "This is not CSV.", "Mend the quotes near this line."))


READERS_FIELDS = ("source", "tag", "reviewed", "still_valid_on", "note")
"""Fields of a record that are for its reader; where a number stands they say how good it is."""
NOT_SHIPPED = ("RECALLED", "UNSURE")


def read_records(sources: Sequence[Source], name: str, kind: type[T], faults: list[Fault]) -> Iterator[tuple[Row, T]]:
    """The records of a YAML file as Structs, ours first and a site's after them. A record must name its source."""
    for source in sources:
        if source.name != name:
            continue
        for row in read_yaml(source, faults):
            if not row.fields.get("source"):
                faults.append(row.fault("A source is missing.", "Add `source:` with where this was read."))
            if row.fields.get("tag") in NOT_SHIPPED:
                faults.append(row.fault(f"Tag {row.fields['tag']} does not ship.", "Find its source, or leave it out."))
            given = {field: value for field, value in row.fields.items() if field not in READERS_FIELDS}
            try:
                yield row, msgspec.convert(given, kind, strict=False)
            except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
                faults.append(row.fault(f"{error}.", "Compare with the records beside it."))


def by_key(rows: Iterable[tuple[Row, K, V]], faults: list[Fault], *, agree: bool = False) -> dict[K, V]:
    """Rows by key, a site's over ours. A key that stands twice in one of the two is a fault; with `agree` only where
    the two rows say different things."""
    found: dict[K, V] = {}
    seen: dict[tuple[bool, K], V] = {}
    for row, key, value in rows:
        before = seen.setdefault((row.site, key), value)
        if before is not value and not (agree and before == value):
            name = " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
            faults.append(row.fault(f"{name.strip()!r} stands twice.", "Keep one of the rows."))
        found[key] = value
    return found


def counted(faults: Sequence[object]) -> str:
    """How many faults there are, in words."""
    return "no fault" if not faults else f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
