"""Azure's management clients for Python and for Node, called in the same way."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from azure.core.exceptions import HttpResponseError

from tests.integration.management_stage import SUBSCRIPTION, ManagementStage
from tests.integration.nodejs import installed
from tests.integration.programs import environment

#: Of an app or a plan there is only what hybrid connections need.
WEB_METHODS = frozenset(
    {"get", "createOrUpdate", "delete", "list", "listByResourceGroup"}
)
_OF_HYBRID = re.compile("hybrid|relayService", re.IGNORECASE)


@frozen
class Refused(Exception):
    """
    A call failed.

    @ivar status: of the answer.
    @ivar code: as the client shows it.
    """

    status: int | None
    code: str


def flat(value: Any) -> Any:
    """Members of C{properties} beside the others, as most clients show them."""
    if isinstance(value, list):
        return [flat(one) for one in value]
    if isinstance(value, Mapping):
        inner = value.get("properties")
        outer = {name: one for name, one in value.items() if name != "properties"}
        return {**outer, **(inner if isinstance(inner, Mapping) else {})}
    return value


class Client:
    """
    @ivar called: groups and methods that were called.
    """

    #: Groups of Microsoft.Relay that this client has.
    relay_groups: tuple[str, ...] = ("operations", "namespaces", "hybridConnections")

    def __init__(self) -> None:
        self.called: set[tuple[str, str]] = set()

    def names(self, group: str) -> set[str]:
        """The methods of a group that are for people, in camel case."""
        raise NotImplementedError

    def __call__(self, group: str, method: str, *arguments: Any) -> Any:
        """
        Call C{method}, and wait until it is done.

        @return: what the answer says, L{flat}; a list for one that comes in pages.
        @raise Refused: it failed.
        """
        self.called.add((group, method))
        return flat(self.run(group, method, *arguments))

    def run(self, group: str, method: str, *arguments: Any) -> Any:
        """The call itself."""
        raise NotImplementedError

    def not_called(self) -> list[tuple[str, str]]:
        """What there is of sections 7 and 8 and was not called."""
        wanted = {(g, name) for g in self.relay_groups for name in self.names(g)}
        for group in ("webApps", "appServicePlans"):
            for name in self.names(group):
                if name in WEB_METHODS or _OF_HYBRID.search(name):
                    wanted.add((group, name))
        return sorted(wanted - self.called)


class PythonClient(Client):
    """azure-mgmt-relay and azure-mgmt-web."""

    def __init__(self, stage: ManagementStage) -> None:
        super().__init__()
        self._clients = (stage.relay_client(), stage.web_client())

    def _group(self, name: str) -> Any:
        snake = _snake(name).replace("w_c_f", "wcf")
        owner = next(client for client in self._clients if hasattr(client, snake))
        return getattr(owner, snake)

    def names(self, group: str) -> set[str]:
        found = (one for one in dir(self._group(group)) if not one.startswith("_"))
        return {
            re.sub("_(.)", lambda match: match[1].upper(), one.removeprefix("begin_"))
            for one in found
            if one != "models"
        }

    def run(self, group: str, method: str, *arguments: Any) -> Any:
        found, name = self._group(group), _snake(method)
        long = getattr(found, f"begin_{name}", None)
        try:
            if long is not None:
                value = long(*arguments).result(timeout=30)
            else:
                value = getattr(found, name)(*arguments)
            if hasattr(value, "by_page"):
                return [_plain(one) for one in value]
            return _plain(value)
        except HttpResponseError as error:
            code = error.error.code if error.error is not None else ""
            raise Refused(error.status_code, code or "") from None


class NodeClient(Client):
    """@azure/arm-relay and @azure/arm-appservice."""

    def __init__(self, stage: ManagementStage) -> None:
        super().__init__()
        folder = installed()
        node = shutil.which("node")
        assert node is not None
        fields = {
            "NODE_EXTRA_CA_CERTS": str(stage.ca_file),
            "NODE_NO_WARNINGS": "1",
            "TOKEN": stage.tokens["admin"],
        }
        self._child = subprocess.Popen(
            [node, str(folder / "arm.js"), stage.base_url, SUBSCRIPTION],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(fields),
        )

    def close(self) -> None:
        """End the process."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(20)
        self._child.stdout.close()

    def names(self, group: str) -> set[str]:
        hidden = re.compile("^_|^constructor$|Paging(Page|All)$|^begin[A-Z].*[^t]$")
        found = [one for one in self._order(group, "names") if not hidden.search(one)]
        return {_short(one) for one in found}

    def run(self, group: str, method: str, *arguments: Any) -> Any:
        found = self._order(group, "names")
        long = f"begin{method[0].upper()}{method[1:]}AndWait"
        name = long if long in found else method
        return self._order(group, name, *arguments)

    def _order(self, group: str, method: str, *arguments: Any) -> Any:
        order = {"group": group, "method": method, "arguments": flat(list(arguments))}
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps(order).encode() + b"\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        assert line, "the client ended"
        told = json.loads(line)
        error = told.get("error")
        if error is None:
            return told["result"]
        if error["status"] is None:
            raise AssertionError(f"{group}.{method}: {error}")
        raise Refused(error["status"], error["code"])


def _short(name: str) -> str:
    if name.startswith("begin") and name.endswith("AndWait"):
        inner = name.removeprefix("begin").removesuffix("AndWait")
        return inner[0].lower() + inner[1:]
    return name


def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda match: f"_{match[1].lower()}", name)


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return value
