"""The identity provider that signs people in, as the workbench is told of it."""

from __future__ import annotations

import msgspec


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenID provider and what its claims mean here. `roles` and `feeds`: value of a claim -> role, -> feeds with spaces
    between. A claim is named by its path, with dots. `ca_file`: empty for the authorities of the system."""

    issuer: str
    client_id: str
    client_secret: str = ""
    login_claim: str = "preferred_username"
    name_claim: str = "name"
    roles_claim: str = "roles"
    roles: dict[str, str] = {}
    feeds_claim: str = ""
    feeds: dict[str, str] = {}
    scopes: tuple[str, ...] = ("openid", "profile")
    ca_file: str = ""
    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __repr__(self) -> str:
        """Without the secret: it may reach a log."""
        return f"Provider({self.issuer!r})"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that was begun at the provider: known by `digest`, of its state and the browser's secret. `verifier` is that
    of PKCE; `made` is when, in ISO 8601."""

    digest: bytes
    nonce: str
    verifier: str
    made: str
