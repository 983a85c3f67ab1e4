"""[web.oidc]: the hospital's identity provider, by OpenID Connect."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
RoleName = Literal["viewer", "scientist", "senior", "author", "approver", "integrator", "admin", "auditor"]


def loopback(host: str) -> bool:
    """True for addresses only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    plain = parts.scheme == "http" and loopback(parts.hostname or "")
    if (
        not parts.hostname
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or not (parts.scheme == "https" or plain)
    ):
        raise ValueError(
            "write the provider's issuer as it names itself, for example https://login.hospital.example/realms/lab"
        )
    return text


def _secret(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("a client secret is of printable ASCII characters; is it the right file?")
    return text


class OidcSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        description="who signs people in: the `iss` of its tokens; https, or http within this machine"
    )
    client_id: str = Field(min_length=1, description="what the provider calls this workbench")
    client_secret: Annotated[str, AfterValidator(_secret)] = Field(
        "",
        repr=False,
        description="its secret there; better in client_secret_file, or LABBRIDGE_WEB__OIDC__CLIENT_SECRET",
    )
    client_secret_file: str = Field(
        "", description="file that holds the secret; both empty: a public client, PKCE alone"
    )
    login_claim: str = Field(
        "preferred_username",
        min_length=1,
        description="claim with the login of a new account; what follows an @ is left out",
    )
    name_claim: str = Field("name", min_length=1, description="claim with the name that stands beside a signature")
    roles_claim: str = Field(
        "roles", min_length=1, description="claim with a person's roles or groups; a.b: b within a"
    )
    roles: dict[str, RoleName] = Field(
        {}, description="which value of roles_claim gives which role; empty: nobody gets one by it"
    )
    feeds_claim: str = Field(
        "", description="claim with a person's sites, as roles_claim; empty: an administrator gives the feeds"
    )
    feeds: dict[str, str] = Field(
        {}, description="which value of feeds_claim gives which feeds, with spaces between; * for all"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile"), description="what is asked for; openid always is")
    ca_file: str = Field(
        "", description="PEM file: authorities of the provider's certificate; empty: those of the system"
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "ES256"), min_length=1, description="how its tokens may be signed; none and HMAC never are"
    )

    @model_validator(mode="after")
    def _together(self) -> OidcSection:
        if self.client_secret and self.client_secret_file:
            raise ValueError("client_secret and client_secret_file: name one of the two")
        if self.feeds and not self.feeds_claim:
            raise ValueError("feeds needs feeds_claim: name the claim whose values they are")
        if "openid" not in self.scopes:
            raise ValueError("scopes needs openid beside the others")
        return self

    def secret(self) -> str:
        """The secret, read from its file where it lies in one. OSError and ValueError where it cannot be."""
        if not self.client_secret_file:
            return self.client_secret
        return _secret(Path(self.client_secret_file).read_text(encoding="utf-8").strip())
