"""Identity providers for tests: keys, JWKS and tokens."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

ISSUER = "https://login.test/tenant"
AUDIENCE = "https://relay.test:8444"

# Making a key of RSA takes long; all tests share these.
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def pem_of(key: Any) -> bytes:
    """The public half."""
    made: bytes = key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return made


def jwk_of(key: Any, kid: str | None = None, **more: Any) -> dict[str, Any]:
    """The public half as a member of a JWKS."""
    kind: Any = (
        jwt.algorithms.RSAAlgorithm
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm
    )
    made: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return made | ({"kid": kid} if kid else {}) | more


def jwks(*keys: dict[str, Any]) -> bytes:
    """A whole set."""
    return json.dumps({"keys": keys}).encode()


def token(
    key: Any = RSA_KEY,
    algorithm: str = "RS256",
    kid: str | None = "one",
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A token; a claim of L{None} is left out."""
    fields = {"kid": kid} if kid is not None else {}
    values = {name: value for name, value in claims.items() if value is not None}
    # Below the level that knows claims: it would refuse to make wrong ones.
    payload = json.dumps(values).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, {**fields, **(header or {})})


def forged(
    header: dict[str, Any], claims: dict[str, Any], signature: bytes = b""
) -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts
    )
