"""What the installed service is made of: files of others in this package, and the bill of materials (CycloneDX 1.6).

`python -m tests.checks.supply FILE` writes the bill, the same bytes for the same tree.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from labbridge import __built__, __version__

ROOT = Path(__file__).resolve().parent.parent.parent
WEB = ROOT / "labbridge/web"
LOCK = ROOT / "deploy/requirements.lock"
SCHEMA = SchemaVersion.V1_6
LICENCES = LicenseFactory()


def vendored() -> list[dict[str, str]]:
    """The files of others, as labbridge/web/vendored.toml has them."""
    found: list[dict[str, str]] = tomllib.loads((WEB / "vendored.toml").read_text(encoding="utf-8"))["file"]
    return found


def page() -> str:
    """docs/reference/vendored.md."""
    head = (
        "# Files of others",
        "",
        "Part of this package, unchanged, with their licences beside them. What is installed with it is in the lock files,",
        "and with its licences in the bill of materials (`make sbom`).",
        "",
        "| file | of | version | licence | SHA-256 |",
        "|---|---|---|---|---|",
    )
    rows = [
        f"| `labbridge/web/{one['path']}` | {one['name']} | {one['version']} | {one['licence']}, `{one['text']}` |"
        f" `{one['sha256']}` |"
        for one in vendored()
    ]
    return "\n".join([*head, *rows, ""])


def pinned(lock: Path = LOCK) -> Iterator[tuple[str, str]]:
    """Name and version of each package in a lock that is installed here: one whose marker does not hold here is none."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if "==" not in line or line[:1] in " #":
            continue
        one = Requirement(line.partition(" \\")[0])
        if one.marker is None or one.marker.evaluate():
            yield canonicalize_name(one.name), next(iter(one.specifier)).version


def licence_of(name: str) -> str:
    """As the package states it: an SPDX expression, else its own words, else its classifiers; empty where it states none."""
    said = metadata.metadata(name)
    classified = [one.rpartition(" :: ")[2] for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
    own = (said.get("License") or "").strip()
    whole = said.get("License-Expression") or (own if own and len(own.splitlines()) == 1 else "")
    return str(whole or " AND ".join(classified))


def bill() -> str:
    """The bill of materials as JSON."""
    bom = Bom(components=[*_packages(), *_files()])
    bom.metadata.component = own = _own()
    bom.register_dependency(own, bom.components)
    bom.metadata.timestamp = datetime.fromisoformat(__built__).replace(
        tzinfo=UTC
    )  # not now: the same tree, the same bytes
    named = sorted(f"{one.purl or one.name}" for one in bom.components)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([__version__, *named]))
    text = make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2)
    fault = JsonStrictValidator(SCHEMA).validate_str(text)
    if fault is not None:
        raise ValueError(f"the bill is no CycloneDX {SCHEMA.to_version()}: {fault}")
    return text + "\n"


def _own() -> Component:
    locked = (ROOT / "mappings/versions.lock.json").read_bytes()
    return Component(
        name="labbridge",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="labbridge",
        purl=PackageURL("pypi", name="labbridge", version=__version__),
        properties=[
            Property(name="labbridge:mappings:versions.lock.json:sha256", value=hashlib.sha256(locked).hexdigest())
        ],
    )


def _packages() -> Iterator[Component]:
    for name, version in pinned():
        licence = licence_of(name)
        yield Component(
            name=name,
            version=version,
            bom_ref=f"{name}=={version}",
            purl=PackageURL("pypi", name=name, version=version),
            licenses=[LICENCES.make_from_string(licence)] if licence else [],
        )


def _files() -> Iterator[Component]:
    for one in vendored():
        yield Component(
            name=Path(one["path"]).name,
            version=one["version"],
            type=ComponentType.FILE,
            bom_ref=f"{one['purl']}#{one['path']}",
            purl=PackageURL.from_string(one["purl"]),
            licenses=[LICENCES.make_from_string(one["licence"])],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one["sha256"])],
        )


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def main() -> int:
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(bill(), encoding="utf-8")
    print(f"{target}: {len(read(target.read_text())['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
