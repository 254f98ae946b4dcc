"""Reading the public keys of an identity provider (RFC 7517)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import jwt
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

#: Bits that a key of RSA must have (RFC 7518 section 3.3).
_LEAST_RSA: Final = 2048
_MOST_KEYS: Final = 100


@frozen
class SigningKey:
    """
    A public key that signatures are checked with.

    @ivar name: C{kid}; L{None} if it has none.
    @ivar algorithm: the one that it is good for.
    """

    name: str | None
    algorithm: str
    key: Any


def read_keys(data: bytes) -> tuple[SigningKey, ...]:
    """
    The keys of a JWKS, or the one of a PEM file.  Keys of other kinds, such as those
    for encryption and shared secrets, are passed over.

    @raise ValueError: it is neither, or no key in it can be used.
    """
    if data.lstrip().startswith(b"-----BEGIN"):
        found = tuple(_usable(None, load_pem_public_key(data)))
    else:
        found = tuple(_of_set(data))
    if not found:
        raise ValueError("holds no public key for RS256 or ES256")
    return found


def _of_set(data: bytes) -> Iterator[SigningKey]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is neither a JWKS nor a PEM file") from None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        raise ValueError("is no JWKS: it has no list of keys")
    for one in keys[:_MOST_KEYS]:
        if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC"):
            continue
        if one.get("use", "sig") != "sig" or "d" in one:
            continue
        name, meant = one.get("kid"), one.get("alg")
        try:
            key = jwt.PyJWK(one).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        for found in _usable(name if isinstance(name, str) else None, key):
            if meant in (None, found.algorithm):
                yield found


def _usable(name: str | None, key: object) -> Iterator[SigningKey]:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA:
        yield SigningKey(name, "RS256", key)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(
        key.curve, ec.SECP256R1
    ):
        yield SigningKey(name, "ES256", key)
