"""[fhir], [fhir.clients.NAME] and [receivers.NAME.smart]: what is refused where it is read, and what at the start."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk

from labbridge import gate, smart_settings
from labbridge.config import Config, ConfigError, ReceiverSection, load
from labbridge.config_text import effective
from labbridge.delivery.signing import public as public_half
from labbridge.delivery.signing import read_key
from labbridge.delivery.smart import SmartSettings

RSA, EC = jwk.RSAKey.generate_key(2048, {"kid": "a"}), jwk.ECKey.generate_key("P-384", {"kid": "b"})
FHIR = {"kind": "fhir"}
URL = "https://labbridge.hospital.example"


def configured(
    client: dict[str, Any] | None = None, feeds: dict[str, Any] | None = None, **fhir: Any
) -> dict[str, Any]:
    one = {"jwks_file": "keys.json", "scopes": ["system/Observation.rs"], **(client or {})}
    return {"feeds": feeds or {"ward": FHIR}, "fhir": {"public_url": URL, "clients": {"lis": one}, **fhir}}


def public(key: Any) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


# ---------------------------------------------------------------- where it is read


@pytest.mark.parametrize(
    ("client", "feeds", "fhir", "said"),
    [
        ({}, None, {"public_url": ""}, "clients need public_url"),
        ({}, None, {"public_url": "http://labbridge.hospital.example"}, "http is taken for this machine alone"),
        ({}, None, {"public_url": f"{URL}?a=b"}, "without user, query or fragment"),
        ({}, None, {"public_url": "https://user@labbridge.example"}, "without user, query or fragment"),
        ({"scopes": ["patient/*.rs"]}, None, {}, "patient/ is of a person who signs in"),
        ({"scopes": ["system/Observation.sr"]}, None, {}, "letters of cruds in this order"),
        ({"scopes": []}, None, {}, "at least 1 item"),
        ({"jwks_file": ""}, None, {}, "at least 1 character"),
        ({"feeds": ["nope"]}, None, {}, "fhir.clients.lis.feeds names 'nope', which is not configured"),
        ({"scopes": ["system/*.c"]}, {"a": FHIR, "b": FHIR}, {}, "has to be of one FHIR feed"),
        ({"scopes": ["system/*.c"], "feeds": ["*"]}, {"a": FHIR, "b": FHIR}, {}, "has to be of one FHIR feed"),
        ({"scopes": ["system/*.c"], "feeds": ["m"]}, {"a": FHIR, "m": {}}, {}, "has to be of one FHIR feed"),
    ],
)
def test_a_client_that_could_not_be_served_is_refused(
    client: dict[str, Any], feeds: dict[str, Any] | None, fhir: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Config.model_validate(configured(client, feeds, **fhir))


@pytest.mark.parametrize(
    ("client", "feeds"),
    [
        ({"scopes": ["system/*.cruds"]}, {"a": FHIR, "m": {}}),
        ({"scopes": ["system/*.c"], "feeds": ["*"]}, {"a": FHIR, "m": {}}),
        ({"scopes": ["system/*.rs"], "feeds": ["*"]}, {"a": FHIR, "b": FHIR}),
        ({"scopes": ["system/*.rs"], "feeds": ["m"]}, {"m": {}}),
    ],
)
def test_a_client_reads_several_feeds_and_writes_one(client: dict[str, Any], feeds: dict[str, Any]) -> None:
    (found,) = smart_settings.clients_of(Config.model_validate(configured(client, feeds)))
    assert (found.name, found.scopes, found.feeds) == ("lis", set(client["scopes"]), tuple(client.get("feeds", ())))


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    path = tmp_path / "labbridge.toml"
    path.write_text(f'[fhir]\npublic_url = "{URL}"\n[fhir.clients.lis]\njwks = "keys.json"\nscopes = ["system/*.rs"]\n')
    with pytest.raises(ConfigError, match=r"fhir\.clients\.lis\.jwks: unknown key; did you mean jwks_file\?"):
        load(path)


def test_the_configuration_in_force_can_be_read_again(tmp_path: Path) -> None:
    config = Config.model_validate(configured({"scopes": ["system/*.read"]}))
    path = tmp_path / "labbridge.toml"
    path.write_text(effective(config))
    assert load(path).fhir == config.fhir
    assert config.fhir.token_url == f"{URL}/token"
    assert config.fhir.model_copy(update={"public_url": f"{URL}/"}).token_url == f"{URL}/token"


def test_a_receiver_of_hl7_has_no_use_for_smart() -> None:
    smart = {"token_url": "https://auth.example/token", "client_id": "x", "key_file": "y"}
    with pytest.raises(ValueError, match="smart is none of a receiver of kind mllp; take it out"):
        Config.model_validate({"receivers": {"lis": {"address": "127.0.0.1:9", "smart": smart}}})


# ---------------------------------------------------------------- at the start


def jwks(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lambda: jwks(), "it holds no RSA key and none of the curve P-384"),
        (lambda: jwks({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "a"}), "it holds no RSA key"),
        (lambda: "[]", 'it is no JWK Set: write {"keys": [...]}'),
        (lambda: "{" * 10_000, "it is no JSON"),
        (lambda: jwks(EC.as_dict(private=True)), "it holds a secret key; the client keeps that"),
        (lambda: jwks({"kty": "oct", "k": "canary", "kid": "a"}), "it holds a secret key"),
        (lambda: jwks({**public(EC), "kid": ""}), "a key in it has no kid"),
        (lambda: jwks({**public(EC), "kid": 7}), "a key in it has no kid"),
        (lambda: jwks(public(EC), {**public(RSA), "kid": "b"}), "two of its keys have the same kid"),
        (lambda: jwks({**public(RSA), "n": "canary"}), "an RSA key in it is shorter than 2048 bits"),
        (lambda: jwks({**public(EC), "x": "canary!"}), "a key in it cannot be read"),
        (lambda: jwks(public(jwk.ECKey.generate_key("P-256", {"kid": "c"}))), "of another curve than P-384"),
    ],
)
def test_keys_of_a_client_that_cannot_be_used_hold_up_the_start(
    tmp_path: Path, text: Callable[[], str], said: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text())
    config = Config.model_validate(configured({"jwks_file": str(path)}))
    (fault,) = smart_settings.faults(config)
    assert fault.startswith(f"fhir.clients.lis.jwks_file: {path}: ")
    assert said in fault
    assert "canary" not in fault


def test_two_keys_of_a_client_stand_beside_each_other(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(jwks(public(EC), public(RSA), {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}))
    assert list(smart_settings.faults(Config.model_validate(configured({"jwks_file": str(path)})))) == []


def to_a_server(**smart: str) -> Config:
    """A configuration with a FHIR receiver, and how it is asked for a token."""
    ehr: dict[str, Any] = {"kind": "fhir", "address": "https://ehr.example/r4", "networks": ["10.0.0.0/8"]}
    if smart:
        ehr["smart"] = {"token_url": "https://auth.example/token", "client_id": "labbridge", **smart}
    return Config.model_validate({"receivers": {"ehr": ehr}, "web": {"listen": ""}})


def test_what_a_receiver_is_asked_with_is_that_of_its_section() -> None:
    section = to_a_server(key_file="key.pem", scope="system/Observation.write").receivers["ehr"]
    assert smart_settings.access_settings(section) == SmartSettings(
        token_url="https://auth.example/token",
        client_id="labbridge",
        key_file="key.pem",
        scope="system/Observation.cud",
        networks=("10.0.0.0/8",),
    )


def test_a_receiver_is_proven_to_in_one_way() -> None:
    config = to_a_server(key_file="key.pem").receivers["ehr"].model_dump() | {"token_file": "token"}
    with pytest.raises(ValueError, match="token_file and smart: name one of the two"):
        ReceiverSection.model_validate(config)


def test_our_keys_are_published_by_their_public_half_alone(tmp_path: Path) -> None:
    assert smart_settings.published(to_a_server()) == ()
    paths = [tmp_path / "now.pem", tmp_path / "next.pem"]
    for path, key in zip(paths, (EC, RSA), strict=True):
        path.write_bytes(key.as_pem(private=True))
        path.chmod(0o600)
    config = to_a_server(key_file=str(paths[0]), next_key_file=str(paths[1]))
    found = smart_settings.published(config)
    assert [(one["alg"], one["use"], one["kid"]) for one in found] == [
        ("ES384", "sig", EC.thumbprint()),
        ("RS384", "sig", RSA.thumbprint()),
    ]
    assert not {"d", "p", "q"} & {name for one in found for name in one}
    paths[1].chmod(0o644)
    with pytest.raises(ConfigError, match=r"receivers\.ehr\.smart\.next_key_file: .*next\.pem: others than its owner"):
        gate.check(config, datetime.now(UTC))


def test_what_the_page_writes_down_is_a_configuration_and_a_key(tmp_path: Path) -> None:
    """docs/how-to/let-programs-in.md, as it stands: its sections, and its command for a key."""
    page = (Path(__file__).parents[1] / "docs/how-to/let-programs-in.md").read_text(encoding="utf-8")
    sections = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    path = tmp_path / "labbridge.toml"
    path.write_text('[feeds.ward]\nkind = "fhir"\n' + "".join(sections), encoding="utf-8")
    config = load(path)
    (client,) = smart_settings.clients_of(config)
    assert (client.name, client.feeds) == ("ward-lis", ("ward",))
    assert config.fhir.token_url in page
    assert config.receivers["ehr"].smart is not None
    (command,) = re.findall(r"^openssl .*$", page, re.MULTILINE)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert public_half(read_key(tmp_path / "smart.pem"))["alg"] == "ES384"
