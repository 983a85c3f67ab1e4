"""The manifests of deploy/kubernetes as objects, and what a pod of them is started with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "deploy/kubernetes"
ROLES = ("listen", "process", "deliver", "web")


def documents(path: Path) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def every() -> dict[str, dict[str, Any]]:
    """All objects that are applied, by kind and name."""
    names = next(documents(FOLDER / "kustomization.yaml"))["resources"]
    found = [one for name in names for one in documents(FOLDER / name)]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def files_of(kind: str, name: str) -> dict[str, str]:
    """What a ConfigMap holds."""
    found: dict[str, str] = every()[f"{kind}/{name}"]["data"]
    return found


class Pod(msgspec.Struct, frozen=True):
    """The container labbridge of one pod, as the kubelet would start it. `mounts`: volume by place."""

    name: str
    role: str
    entry: tuple[str, ...]
    env: dict[str, str]
    mounts: dict[str, str]
    readonly: frozenset[str]
    uid: int
    probes: dict[str, str]


def pod(role: str, number: int, entrypoint: list[str], secret: dict[str, str]) -> Pod:
    """`entrypoint`: that of the image; `secret`: what the Secret of the store holds."""
    template = every()[f"Deployment/labbridge-{role}"]["spec"]["template"]["spec"]
    container = next(one for one in template["containers"] if one["name"] == "labbridge")
    name = f"labbridge-{role}-{number}"
    assert [one["secretRef"]["name"] for one in container["envFrom"]] == ["labbridge-store"]
    fields = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    assert set(fields.values()) == {"metadata.name"}
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    probes = {
        kind: f"http://127.0.0.1:{ports[container[kind]['httpGet']['port']]}{container[kind]['httpGet']['path']}"
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    inside = container["securityContext"]
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return Pod(
        name=name,
        role=role,
        entry=(*entrypoint, *container["args"]),
        env={**secret, **dict.fromkeys(fields, name)},
        mounts={one["mountPath"]: one["name"] for one in container["volumeMounts"]},
        readonly=frozenset(one["mountPath"] for one in container["volumeMounts"] if one.get("readOnly")),
        uid=template["securityContext"]["runAsUser"],
        probes=probes,
    )


def script(one: Pod, volumes: dict[str, str]) -> str:
    """How it is started in namespaces of its own: its volumes mounted, the root read-only, no capability, its own account.
    `volumes`: the folder of each. The filter of system calls of a container engine is not part of it."""
    lines = ["set -e", "mount --make-rprivate /", "mount --bind / /"]
    for place, volume in one.mounts.items():
        lines += [f"mkdir -p {place}", f"mount --bind {volumes[volume]} {place}"]
    lines += [f"mount -o remount,ro,bind {place}" for place in sorted(one.readonly)]
    rights = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
    account = (f"--reuid={one.uid}", f"--regid={one.uid}", "--clear-groups")
    words = shlex.join(("setpriv", *account, *rights, *one.entry))
    lines += ["mount -o remount,ro,bind /", f"hostname {one.name}", "ip link set lo up", "cd /var/lib/labbridge"]
    return "\n".join([*lines, f"exec {words}"])
