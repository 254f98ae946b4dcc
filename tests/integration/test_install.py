"""What a stranger gets: the package, its commands, and the demo."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

from tests.integration.case import IntegrationTestCase, need
from tests.integration.programs import command, environment, output_of, twistd

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = ("hcrelay", "hclistener", "hcsender")


class InstallTests(IntegrationTestCase):
    """C{pip install} and what it brings."""

    def folder(self) -> Path:
        return Path(self.mktemp()).absolute()

    def test_wheel(self) -> None:
        """The wheel has the package with its types, and the Twisted plugins."""
        wheels = self.folder()
        source = self.folder()
        # From a copy: a build leaves files in the folder that it builds from.
        source.mkdir()
        for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        for name in ("hybridconn", "twisted"):
            shutil.copytree(ROOT / name, source / name)
        status, said = output_of(
            [
                *[sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index"],
                *["--no-build-isolation", "--wheel-dir", str(wheels), str(source)],
            ],
            120,
        )
        self.assertEqual(status, 0, said)
        (wheel,) = wheels.glob("hybridconn-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            site = self.folder()
            archive.extractall(site)
        self.assertLessEqual(
            {
                "hybridconn/__init__.py",
                "hybridconn/py.typed",
                "hybridconn/interfaces/__init__.py",
                "twisted/plugins/hybridconn_services.py",
            },
            names,
        )
        # These would hide Twisted's own.
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)
        self.assertFalse([n for n in names if n.startswith(("tests/", "demo/"))])
        status, said = output_of(
            twistd("--help"), env={"PYTHONPATH": str(site)}, folder=wheels
        )
        self.assertEqual(status, 0, said)
        for service in SERVICES:
            self.assertIn(service, said)

    def test_help(self) -> None:
        """Every command explains itself."""
        for argv in (
            *(twistd(service, "--help") for service in SERVICES),
            command("--help"),
            command("init", "--help"),
        ):
            status, said = output_of(argv)
            self.assertEqual(status, 0, said)
            self.assertNotIn("Traceback", said)
            self.assertGreater(len(said.splitlines()), 5)

    def test_init(self) -> None:
        """C{hybridconn init}: secrets for the owner only, nothing overwritten."""
        folder = self.folder()
        argv = command("init", str(folder), "--host", "relay.example.net")
        status, said = output_of(argv)
        self.assertEqual(status, 0, said)
        strings = re.findall(r"Endpoint=sb://relay\.example\.net/;\S+", said)
        self.assertEqual(len(strings), 2)
        public = {"ca.pem", "relay.pem", "listener.toml", "sender.toml"}
        for path in folder.iterdir():
            if path.name not in public:
                mode = stat.S_IMODE(path.stat().st_mode)
                self.assertEqual(mode, 0o600, path.name)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        status, said = output_of(argv)
        self.assertEqual(status, 1, said)
        self.assertIn("--force", said)
        self.assertNotIn("Traceback", said)
        after = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.assertEqual(after, before)
        status, said = output_of([*argv, "--force"])
        self.assertEqual(status, 0, said)
        fresh = (folder / "listen.connection-string").read_bytes()
        self.assertNotEqual(fresh, before["listen.connection-string"])


class DemoTests(IntegrationTestCase):
    """C{make demo}."""

    def setUp(self) -> None:
        super().setUp()
        need(
            Path(sys.executable).with_name("hybridconn").exists(),
            "hybridconn is not installed beside this Python (make venv)",
        )
        self.argv = [sys.executable, str(ROOT / "demo" / "demo.py")]

    def test_once(self) -> None:
        """With ONCE=1 it ends by itself, and says that the bytes were right."""
        status, said = output_of(self.argv, 60, env={"ONCE": "1"})
        self.assertEqual(status, 0, said)
        self.assertIn("unchanged", said)
        self.assertLess(len(said.splitlines()), 12)

    def test_until_interrupted(self) -> None:
        """It stays up, says how to connect, and cleans up on SIGINT."""
        child = subprocess.Popen(
            self.argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment({"ONCE": ""}),
        )
        self.addCleanup(child.kill)
        assert child.stdout is not None
        said = ""
        for line in child.stdout:
            said += line.decode()
            if "Ctrl-C" in said:
                break
        curl = re.search(r"curl (http://\S+)", said)
        folder = re.search(r"logs: (\S+)", said)
        assert curl and folder, said
        with urllib.request.urlopen(curl[1], timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        child.send_signal(signal.SIGINT)
        said += child.stdout.read().decode()
        child.stdout.close()
        self.assertEqual(child.wait(20), 0, said)
        self.assertFalse(os.path.exists(folder[1]))
        self.assertNotIn("Traceback", said)
