"""
A second implementation of SAS tokens, so that ours is not its own judge.

Written from relay-protocol section 3.2 alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from urllib.parse import quote


def make_token(resource: str, rule: str, key: str, life: float = 3600.0) -> str:
    """
    @param resource: the URI that the token opens.
    @param life: seconds from now; negative for one that has expired.
    """
    encoded = quote(resource, safe="")
    expires = str(int(time.time() + life))
    mac = hmac.new(key.encode(), f"{encoded}\n{expires}".encode(), hashlib.sha256)
    signature = quote(base64.b64encode(mac.digest()).decode(), safe="")
    return (
        f"SharedAccessSignature sr={encoded}&sig={signature}&se={expires}"
        f"&skn={quote(rule, safe='')}"
    )


def traces_of(secret: str) -> set[str]:
    """The forms in which a secret might turn up where it must not."""
    plain = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        base64.b64encode(plain).decode().rstrip("="),
        plain.hex(),
    }


def signature_in(token: str) -> str:
    """The signature of a token, as it stands there."""
    return token.partition("&sig=")[2].partition("&")[0]
