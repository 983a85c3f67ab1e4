"""[fhir], [fhir.clients.NAME] and [receivers.NAME.smart]: what is refused where it is read, and what at the start."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk

from labbridge import gate, smart_settings
from labbridge.config import Config, ConfigError, load
from labbridge.config_smart import ReceiverSmartSection
from labbridge.config_text import effective

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
        ({}, None, {"public_url": "http://labbridge.hospital.example"}, "write an address with https"),
        ({}, None, {"public_url": f"{URL}?a=b"}, "write an address with https"),
        ({}, None, {"public_url": "https://user@labbridge.example"}, "write an address with https"),
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


def of_receivers(config: Config, **more: str) -> Config:
    """A configuration with a receiver that is asked for a token."""
    smart = ReceiverSmartSection(token_url="https://auth.example/token", client_id="labbridge", **more)
    receiver = config.receivers["ehr"].model_copy(update={"smart": smart})
    return config.model_copy(update={"receivers": {"ehr": receiver}})


def test_our_keys_are_published_by_their_public_half_alone(tmp_path: Path) -> None:
    base = Config.model_validate({"receivers": {"ehr": {"address": "127.0.0.1:9"}}, "web": {"listen": ""}})
    assert smart_settings.published(base) == ()
    paths = [tmp_path / "now.pem", tmp_path / "next.pem"]
    for path, key in zip(paths, (EC, RSA), strict=True):
        path.write_bytes(key.as_pem(private=True))
        path.chmod(0o600)
    config = of_receivers(base, key_file=str(paths[0]), next_key_file=str(paths[1]))
    found = smart_settings.published(config)
    assert [(one["alg"], one["use"], one["kid"]) for one in found] == [
        ("ES384", "sig", EC.thumbprint()),
        ("RS384", "sig", RSA.thumbprint()),
    ]
    assert not {"d", "p", "q"} & {name for one in found for name in one}
    paths[1].chmod(0o644)
    with pytest.raises(ConfigError, match=r"receivers\.ehr\.smart\.next_key_file: .*next\.pem: others than its owner"):
        gate.check(config, datetime.now(UTC))
