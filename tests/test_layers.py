"""The shape of the package: what may import what (docs: "How it is built")."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

import hybridconn

PACKAGE = Path(hybridconn.__file__).parent

# Arrows point down or stay within a layer, never up.  "" is the package itself.
LAYERS = (
    {"core"},
    {
        "audit",
        "balancers",
        "callthread",
        "certificates",
        "dialer",
        "eager",
        "exposition",
        "files",
        "idle",
        "jwks",
        "late",
        "memory",
        "open_files",
        "nap",
        "steady",
        "operation",
        "socket_options",
        "tls",
        "wayout",
        "web",
        "websocket",
    },
    {"config", "startup"},
    {
        "cluster",
        "diagnosis",
        "endpoints",
        "hcm",
        "listener",
        "management",
        "names",
        "page",
        "redirect",
        "relay",
        "sender",
        "stores",
    },
    {"", "__main__", "cli", "testing"},
)
TOP = len(LAYERS) - 1

# Seams are no layer: anybody may import them.
INTERFACES = "interfaces"

# Modules that put everything together stand on top, wherever they lie.
COMPOSITION = ("tap", "__main__")
# Only Alembic can run this one.
ALEMBICS_OWN = "env"

# What the core may not touch, though Python brings it along.
WORLD = frozenset(
    {
        "asyncio",
        "builtins",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
    }
)


@frozen
class Import:
    """
    One import of a module by another.

    @ivar importer: the module in which it stands.
    @ivar imported: the module, or what it takes from one.
    @ivar only_for_types: whether it stands under C{if TYPE_CHECKING}.
    @ivar at_top: whether it is done when the module is imported.
    """

    importer: str
    imported: str
    only_for_types: bool
    at_top: bool

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports() -> Iterator[Import]:
    for name, path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from _imports(name, tree, only_for_types=False, at_top=True)


def _imports(
    name: str, parent: ast.AST, only_for_types: bool, at_top: bool
) -> Iterator[Import]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, only_for_types, at_top)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"{name} has a relative import")
            for alias in node.names:
                imported = f"{node.module}.{alias.name}"
                yield Import(name, imported, only_for_types, at_top)
        else:
            for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(
                node.test
            )
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(
                name, node, only_for_types or for_types, at_top and not function
            )


def part_of(module: str) -> str:
    """The folder or module directly below the package."""
    return [*module.split("."), ""][1]


def layer_of(module: str) -> int:
    if module.rpartition(".")[2] in COMPOSITION:
        return TOP
    for number, parts in enumerate(LAYERS):
        if part_of(module) in parts:
            return number
    raise AssertionError(f"{module} is in no layer: add it to LAYERS in {__file__}")


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == "hybridconn"


def is_service(module: str) -> bool:
    """Whether the module is part of a service or of a protocol, no composition."""
    return part_of(module) in (
        "endpoints",
        "listener",
        "relay",
        "sender",
        "web",
        "websocket",
    ) and not module.endswith(COMPOSITION)


class LayerTests(SynchronousTestCase):
    """Arrows point down only."""

    def test_down_only(self) -> None:
        """No module imports one of a higher layer, not even within a function."""
        names = {name for name, _ in modules()}
        wrong = []
        for found in imports():
            if not is_ours(found.imported):
                continue
            # A name taken from a module is no module itself.
            target = found.imported
            if target not in names:
                target = target.rpartition(".")[0]
            if INTERFACES in (part_of(target), part_of(found.importer)):
                continue
            if layer_of(found.importer) < layer_of(target):
                wrong.append(str(found))
        self.assertEqual(wrong, [])

    def test_interfaces(self) -> None:
        """Interfaces can be imported by all: they import none of ours when they run."""
        wrong = [
            str(found)
            for found in imports()
            if part_of(found.importer) == INTERFACES
            and is_ours(found.imported)
            and part_of(found.imported) != INTERFACES
            and not found.only_for_types
        ]
        self.assertEqual(wrong, [])

    def test_core(self) -> None:
        """The core knows the standard library, attrs, interfaces and itself only."""
        wrong = []
        for found in imports():
            if part_of(found.importer) != "core":
                continue
            top = found.imported.partition(".")[0]
            good = (top in sys.stdlib_module_names and top not in WORLD) or (
                f"{found.imported}.".startswith(
                    (
                        "attrs.",
                        "zope.interface.",
                        "hybridconn.core.",
                        "hybridconn.interfaces.",
                    )
                )
            )
            if not good:
                wrong.append(str(found))
        self.assertEqual(wrong, [])

    def test_backends(self) -> None:
        """Stores and balancers are given to services, which know interfaces only."""
        wrong = [
            str(found)
            for found in imports()
            if is_service(found.importer)
            and part_of(found.imported) in ("balancers", "stores")
            and is_ours(found.imported)
        ]
        self.assertEqual(wrong, [])

    def test_sees_all(self) -> None:
        """The walk finds what there is, so that the tests above mean something."""
        seen = {str(found) for found in imports()}
        self.assertIn("hybridconn.core.sas imports hybridconn.core.names.fold", seen)
        self.assertIn(
            "hybridconn.interfaces.requests imports hybridconn.core.refusals.Refusal",
            seen,
        )


class RoomTests(SynchronousTestCase):
    """Somebody new is told what is where (docs/development.md)."""

    def test_rooms(self) -> None:
        """Every part of the package stands in the table of rooms, and none beside."""
        root = PACKAGE.parent
        text = (root / "docs" / "development.md").read_text(encoding="utf-8")
        rooms = text.partition("\n## Rooms\n")[2].partition("\n## ")[0]
        told = set()
        for row in re.findall(r"^\| (`.*?) \|", rooms, re.MULTILINE):
            for name in re.findall("`(.*?)`", row):
                found = [*root.glob(name), *PACKAGE.glob(name)]
                self.assertTrue(found, f"{name} is gone")
                told.update(found)
        below = {
            path.relative_to(PACKAGE).parts[0]
            for path in told
            if path.is_relative_to(PACKAGE)
        }
        parts = {part_of(name) for name, _ in modules()} - {"", "__main__"}
        self.assertEqual({name.removesuffix(".py") for name in below}, parts)


class ReactorTests(SynchronousTestCase):
    """Whoever imports us chooses the reactor."""

    def test_named_late(self) -> None:
        """The global reactor is imported by tap and __main__ modules alone."""
        wrong = [
            str(found)
            for found in imports()
            if found.imported == "twisted.internet.reactor"
            and found.at_top
            and found.importer.rpartition(".")[2] not in COMPOSITION
        ]
        self.assertEqual(wrong, [])

    def test_none_installed(self) -> None:
        """Importing every module installs no reactor."""
        names = [
            name
            for name, _ in modules()
            if name.rpartition(".")[2] not in (*COMPOSITION, ALEMBICS_OWN)
        ]
        script = (
            "import importlib, sys\n"
            "for name in sys.argv[1:]:\n"
            "    importlib.import_module(name)\n"
            "    if 'twisted.internet.reactor' in sys.modules:\n"
            "        sys.exit(f'{name} installs a reactor')\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", script, *names],
            cwd=PACKAGE.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
