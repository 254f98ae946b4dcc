"""Calls of a relay's management API, for commands."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
from attrs import field, frozen

from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.resources import DEFAULT_SUBSCRIPTION
from hybridconn.wayout.blocking import dial
from hybridconn.wayout.environment import BadEnvironment, from_environment
from hybridconn.wayout.errors import ProxyError

#: Environment variables that stand for the options of the same name.
URL_VARIABLE = "HYBRIDCONN_MANAGEMENT_URL"
TOKEN_VARIABLE = "HYBRIDCONN_MANAGEMENT_TOKEN"
CA_VARIABLE = "HYBRIDCONN_MANAGEMENT_CA_FILE"

_VERSION = "2021-11-01"
_SECONDS = 30.0


class RemoteError(click.ClickException):
    """A call that did not succeed; C{exit_code} is the command's exit status."""


class Unreachable(RemoteError):
    """Nobody answers, or none that one could trust or understand."""

    exit_code = 3


class Missing(RemoteError):
    """There is no such thing."""

    exit_code = 4


class Forbidden(RemoteError):
    """The token or its role does not allow it, or a limit does not."""

    exit_code = 5


_BY_STATUS: Mapping[int, type[RemoteError]] = {
    401: Forbidden,
    403: Forbidden,
    404: Missing,
}


@frozen
class Remote:
    """
    A relay's management API.

    @ivar url: C{https://host:port}.
    @ivar ca_file: a further authority, PEM.
    @ivar seconds: for which an answer is waited for.
    @ivar prefix: how the options begin that say all this, for messages.
    """

    url: str
    token: str = field(repr=False)
    ca_file: str | None = None
    subscription: str = DEFAULT_SUBSCRIPTION
    group: str = "default"
    seconds: float = _SECONDS
    prefix: str = "--"

    @classmethod
    def from_options(
        cls,
        url: str | None,
        token_file: str | None,
        ca_file: str | None,
        subscription: str,
        group: str,
        seconds: float = _SECONDS,
        prefix: str = "--",
    ) -> Remote:
        """
        @raise click.ClickException: something is missing, or cannot be used.
        """
        parts = urlsplit(url or "")
        if parts.scheme != "https" or not parts.hostname:
            raise click.ClickException(
                f"say where the management API is, with {prefix}url https://HOST:PORT "
                f"or in {URL_VARIABLE}."
            )
        token = os.environ.get(TOKEN_VARIABLE, "")
        if token_file is not None:
            source = Source("command line", Path(), os.environ)
            try:
                token = read_bytes(token_file, source, private=True).decode("ascii")
            except (Mistake, UnicodeDecodeError) as error:
                raise click.ClickException(f"{prefix}token-file: {error}") from None
        if not token.strip():
            raise click.ClickException(
                "the token is missing; put it into a file and name that with "
                f"{prefix}token-file, or into {TOKEN_VARIABLE}."
            )
        return cls(
            str(url), token.strip(), ca_file, subscription, group, seconds, prefix
        )

    @property
    def provider(self) -> str:
        """The path of what concerns the whole relay."""
        return f"/subscriptions/{self.subscription}/providers/Microsoft.Relay"

    def namespace(self, name: str = "") -> str:
        """The path of a namespace, or of all in the group."""
        place = f"{self._group}/providers/Microsoft.Relay/namespaces"
        return f"{place}/{quote(name, safe='')}" if name else place

    def place(self, namespace: str, path: str | None) -> str:
        """The path of a hybrid connection; of the namespace itself without one."""
        place = self.namespace(namespace)
        return f"{place}/hybridConnections/{quote(path, safe='')}" if path else place

    def rule(self, namespace: str, path: str | None, name: str = "") -> str:
        """The path of an authorization rule, or of all at a place."""
        place = f"{self.place(namespace, path)}/authorizationRules"
        return f"{place}/{quote(name, safe='')}" if name else place

    def plan(self, name: str = "") -> str:
        """The path of a plan, or of all in the group."""
        return self._web("serverfarms", name)

    def app(self, name: str = "", slot: str | None = None) -> str:
        """The path of an app or of a slot of it, or of all apps in the group."""
        place = self._web("sites", name)
        return f"{place}/slots/{quote(slot, safe='')}" if slot else place

    @property
    def _group(self) -> str:
        group = quote(self.group, safe="")
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}"

    def _web(self, kind: str, name: str) -> str:
        place = f"{self._group}/providers/Microsoft.Web/{kind}"
        return f"{place}/{quote(name, safe='')}" if name else place

    def call(self, method: str, path: str, body: object = None) -> Any:
        """
        Make one call.

        @return: its JSON; L{None} if there is none.
        @raise RemoteError: it was refused, or nobody is there.
        """
        joint = "&" if "?" in path else "?"
        target = (
            path if "api-version=" in path else f"{path}{joint}api-version={_VERSION}"
        )
        data = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        parts = urlsplit(self.url)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            host, port = parts.hostname or "", parts.port or 443
            connection = http.client.HTTPSConnection(host, port)
            plain = dial(from_environment(os.environ), host, port, self.seconds)
            connection.sock = context.wrap_socket(plain, server_hostname=host)
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            said = response.read()
            connection.close()
            value = json.loads(said) if said else None
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"the certificate of {self.url} is refused: {error.verify_message}; "
                f"name its authority with {self.prefix}ca-file or in {CA_VARIABLE}."
            ) from None
        except (ProxyError, BadEnvironment) as error:
            raise click.ClickException(
                f"{self.url} cannot be reached: {error}."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            words = getattr(error, "strerror", None) or type(error).__name__
            raise Unreachable(f"{self.url} cannot be reached: {words}.") from None
        except ValueError:
            raise Unreachable(f"{self.url} answered no JSON.") from None
        if response.status >= 400:
            error_said = value.get("error", {}) if isinstance(value, dict) else {}
            message = error_said.get("message", response.reason)
            kind = _BY_STATUS.get(response.status, RemoteError)
            raise kind(f"{response.status}: {message}")
        return value

    def has(self, path: str) -> bool:
        """Whether there is something at a path."""
        try:
            self.call("GET", path)
        except Missing:
            return False
        return True

    def delete(self, path: str) -> None:
        """Remove what is at a path; it must be there."""
        self.call("GET", path)
        self.call("DELETE", path)

    def every(self, path: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        next_path = path
        while next_path:
            page = self.call("GET", next_path)
            yield from page["value"]
            link = page.get("nextLink") or ""
            next_path = link.partition("://")[2].partition("/")[2]
            next_path = next_path and "/" + next_path
