"""A connection manager as a process, and C{hybridconn hcm} for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridconn.cli.hcm_client import (
    HcmClient,
    NotReachable,
    NotThere,
    connection_path,
)
from tests.integration.case import IntegrationTestCase
from tests.integration.programs import Program, command, output_of, twistd
from tests.integration.stage import LISTEN, Stage, table
from tests.integration.waiting import wait_for


class HcmCase(IntegrationTestCase):
    """
    @ivar stage: with a relay that runs, unless a test makes another.
    @ivar service: the manager.
    """

    def start_manager(
        self,
        stage: Stage,
        timings: Mapping[str, object] | None = None,
        connections: Mapping[str, object] | None = None,
        admin: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        **top: object,
    ) -> Program:
        """Start a manager with nothing in it, and wait until it hears commands."""
        text = table("", {"ca_file": "ca.pem", **top})
        if timings:
            text += table("[timings]", timings)
        text += table("[admin]", {"socket": "hcm.sock", **(admin or {})})
        text += table("[connections]", {"folder": "conf.d", **(connections or {})})
        config = stage.write("listener.toml", text)
        self.stage = stage
        self.service = stage.program(
            "manager", twistd("hclistener", "--config", str(config)), env=env
        )
        return self.start_again()

    def start_again(self) -> Program:
        """Start it, after it ended too."""
        self.service.start()
        client = HcmClient(socket=str(self.stage.folder / "hcm.sock"))

        def ask() -> bool:
            assert self.service.running, self.service.log()[-2000:]
            try:
                client.call("GET", "/v1/version")
            except NotReachable:
                return False
            return True

        wait_for("the manager to hear commands", ask, 30)
        return self.service

    def hcm(self, *arguments: str, status: int = 0, given: str = "") -> str:
        """Run a command to its end: what it printed."""
        argv = command("hcm", "--socket", str(self.stage.folder / "hcm.sock"))
        found, said = output_of([*argv, *arguments], given=given.encode())
        self.assertEqual(found, status, said)
        self.assertNotIn("Traceback", said)
        for secret in self.stage.secrets():
            self.assertNotIn(secret, said)
        return said

    def add(self, entity: str, *arguments: str, status: int = 0) -> str:
        """Add a hybrid connection by its pasted string."""
        text = self.stage.connection_string(entity, LISTEN)
        return self.hcm("add", *arguments, given=text, status=status)

    def view(self, name: str) -> Any:
        """How a hybrid connection is, without the time that a process takes."""
        client = HcmClient(socket=str(self.stage.folder / "hcm.sock"))
        return client.call("GET", connection_path(name, None))

    def wait_status(self, name: str, word: str, seconds: float) -> Any:
        """Wait until a hybrid connection has this status."""

        def ask() -> Any:
            try:
                found = self.view(name)
            except NotThere:
                return None
            return found if found["status"] == word else None

        return wait_for(f"{name} to be {word}", ask, seconds)
