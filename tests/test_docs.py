"""What README.md and docs/ say of files, options and code is so."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config import reference
from hybridconn.core.limits import Limits

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_TOML_KEY = re.compile(r"^(\w+) *=", re.MULTILINE)

# Tables whose cells name options, by the heading of the column.
_OPTION_COLUMNS = {"setting", "Option"}
_OPTION_PAGES = ("relay.md", "listener.md", "sender.md", "options.md")
# Names of two words at least that are no options, on those pages.
_OPTION_LIKE = re.compile(r"[a-z]+(?:_[a-z]+)+")


def pages() -> list[Path]:
    """All of the documentation."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def blocks(text: str, *languages: str) -> Iterator[str]:
    """The blocks of code in some languages."""
    for language, code in _FENCE.findall(text):
        if language in languages:
            yield code


def anchors(page: Path) -> set[str]:
    """What a link can point to inside a page."""
    found = re.findall(r"^#+ (.*)$", prose(page.read_text()), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in found)
    return {word.replace(" ", "-") for word in words}


def options() -> set[str]:
    """The name of every option, from the reference made of the code itself."""
    return set(re.findall(r"^\| `(\w+)` \|", reference.render(), re.MULTILINE))


def named_in_tables(text: str) -> Iterator[str]:
    """What the cells under a heading for options say."""
    column = None
    for line in prose(text).splitlines():
        if not line.startswith("|"):
            column = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if column is None:
            headings = [n for n, cell in enumerate(cells) if cell in _OPTION_COLUMNS]
            column = headings[0] if headings else -1
        elif column >= 0:
            yield from _CODE.findall(cells[column])


class PagesTests(SynchronousTestCase):
    """Every page."""

    def test_links(self) -> None:
        """Relative links lead to a file, and to a heading in it."""
        for page in pages():
            for link in _LINK.findall(prose(page.read_text())):
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                target = (page.parent / name) if name else page
                self.assertTrue(target.exists(), f"{page.name}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{page.name}: {link}")

    def test_python(self) -> None:
        """Blocks of Python compile."""
        seen = 0
        for page in pages():
            for code in blocks(page.read_text(), "python"):
                compile(code, str(page), "exec")
                seen += 1
        self.assertGreater(seen, 5)

    def test_python_imports(self) -> None:
        """What blocks of Python import of ours is there."""
        for page in pages():
            for code in blocks(page.read_text(), "python"):
                for node in ast.walk(ast.parse(code)):
                    if isinstance(node, ast.ImportFrom) and str(node.module).startswith(
                        "hybridconn"
                    ):
                        exec(ast.unparse(node), {})

    def test_data(self) -> None:
        """Blocks of TOML and JSON can be read."""
        for page in pages():
            text = page.read_text()
            for code in blocks(text, "toml"):
                tomllib.loads(code)
            for code in blocks(text, "json"):
                json.loads(code)

    def test_reached(self) -> None:
        """Every page can be reached from README.md."""
        reached: set[Path] = set()
        waiting = [ROOT / "README.md"]
        while waiting:
            page = waiting.pop()
            if page in reached or page.suffix != ".md":
                continue
            reached.add(page)
            for link in _LINK.findall(prose(page.read_text())):
                target = (page.parent / link.partition("#")[0]).resolve()
                if target.is_file():
                    waiting.append(target)
        self.assertEqual(set(pages()) - reached, set())


class OptionsTests(SynchronousTestCase):
    """What is said of options."""

    def test_limits(self) -> None:
        """Every limit is explained."""
        self.assertLessEqual({one.name for one in attrs.fields(Limits)}, options())

    def test_tables(self) -> None:
        """Tables on the pages of the programs name options that there are."""
        known = options()
        seen = 0
        for name in _OPTION_PAGES:
            for option in named_in_tables((DOCS / name).read_text()):
                self.assertIn(option, known, name)
                seen += 1
        self.assertGreater(seen, 40)

    def test_words(self) -> None:
        """So does what looks like an option on those pages and on the wire's."""
        known = options()
        for name in (*_OPTION_PAGES, "wire.md", "security.md"):
            for word in _CODE.findall(prose((DOCS / name).read_text())):
                if _OPTION_LIKE.fullmatch(word):
                    self.assertIn(word, known, name)

    def test_blocks(self) -> None:
        """Blocks of TOML hold options that there are."""
        known = options()
        for page in pages():
            for code in blocks(page.read_text(), "toml"):
                for option in _TOML_KEY.findall(code):
                    self.assertIn(option, known, page.name)
