"""The description of the API is true to its routes."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from hybridconn.core.management_names import (
    parse_group_name,
    parse_plan_name,
    parse_rule_name,
    parse_site_name,
    parse_slot_name,
)
from hybridconn.core.names import parse_entity_path, parse_namespace_name
from hybridconn.management.openapi import PATH, describe
from hybridconn.management.routing import route
from hybridconn.management.schemas import PARAMETERS
from hybridconn.management.service import all_routes
from hybridconn.testing.fakes import Answer
from tests.management.case import GUID, ApiCase, make_server

PARSERS = {
    "rg": parse_group_name,
    "ns": parse_namespace_name,
    "hc": parse_entity_path,
    "rule": parse_rule_name,
    "plan": parse_plan_name,
    "site": parse_site_name,
    "slot": parse_slot_name,
}


class DescriptionTests(ApiCase):
    """The whole document."""

    def setUp(self) -> None:
        super().setUp()
        self.document: Any = self.good("GET", PATH, query="")

    def test_every_route(self) -> None:
        """Each says what it is for; a new one without words fails here."""
        routes = tuple(all_routes(make_server()))
        silent = [f"{r.method} {r.path}" for r in routes if r.about is None]
        self.assertEqual(silent, [], "give them about=About(…)")
        shown = {
            (method.upper(), path)
            for path, operations in self.document["paths"].items()
            for method in operations
        }
        self.assertEqual(shown, {(one.method, one.path) for one in routes})
        names = [one.about.name for one in routes if one.about]
        self.assertEqual(len(names), len(set(names)))
        for one in routes:
            assert one.about is not None
            self.assertRegex(one.about.name, r"^[A-Z][A-Za-z]+$")
            self.assertTrue(one.about.summary)
            if one.method in ("PUT", "PATCH"):
                self.assertIsNotNone(one.about.body, one.path)

    def test_parameters(self) -> None:
        """Each name in a path is described, and the version where it is asked for."""
        for path, operations in self.document["paths"].items():
            for operation in operations.values():
                given = {(p["name"], p["in"]) for p in operation["parameters"]}
                for name in re.findall(r"\{(\w+)\}", path):
                    self.assertIn((name, "path"), given)
                versioned = ("api-version", "query") in given
                self.assertEqual(versioned, path != PATH)

    def test_errors(self) -> None:
        """Every call may be refused, in one form, with an id."""
        for operations in self.document["paths"].values():
            for operation in operations.values():
                answers = operation["responses"]
                for status in ("400", "401", "403", "404"):
                    place = f"#/components/responses/Error{status}"
                    self.assertEqual(answers[status], {"$ref": place})
                good = [one for one in answers.values() if "$ref" not in one]
                for answer in good:
                    self.assertIn("x-ms-request-id", answer["headers"])
        for answer in self.document["components"]["responses"].values():
            self.assertIn("x-ms-request-id", answer["headers"])
            content = answer["content"]["application/json"]
            self.assertEqual(content["schema"], {"$ref": "#/components/schemas/Error"})

    def test_schemas(self) -> None:
        """All of them are schemas."""
        for operations in self.document["paths"].values():
            for operation in operations.values():
                places = [*operation["responses"].values()]
                places += filter(None, [operation.get("requestBody")])
                for place in places:
                    for content in place.get("content", {}).values():
                        known = {"components": self.document["components"]}
                        jsonschema_rs.meta.validate({**content["schema"], **known})

    def test_who_may(self) -> None:
        """A reader may read it, a stranger may not; it tells where the server is."""
        self.assertEqual(self.call("GET", PATH, role="reader", query="")[0], 200)
        self.assertEqual(self.call("GET", PATH, role="nobody", query="")[0], 401)
        self.assertEqual(self.document["servers"], [{"url": "https://api.test"}])
        self.assertEqual(self.document["security"], [{"bearer": []}])

    def test_other_routes(self) -> None:
        """A name that has no schema is a text; what has no words is left out."""
        one = route("GET", "/a/{b}", lambda call: call)
        self.assertEqual(describe([one])["paths"], {})

    def test_id(self) -> None:
        """The document is an answer like any other."""
        answer = self.request("GET", PATH, query="").outcome
        assert isinstance(answer, Answer)
        self.assertEqual(dict(answer.headers)["x-ms-request-id"], GUID)
        self.assertEqual(json.loads(answer.body), self.document)


class NameTests(ApiCase):
    """What the description says of names is what is checked."""

    @given(
        st.sampled_from(sorted(PARSERS)),
        st.text(st.sampled_from("aZ09-._/()%_ ä"), max_size=14)
        | st.builds(
            lambda c, n, e: c * n + e,
            st.sampled_from("aZ9-."),
            st.sampled_from((0, 1, 2, 5, 48, 49, 50, 51, 58, 59, 60, 89, 90, 260, 261)),
            st.sampled_from(("", "-", ".", "b")),
        ),
    )
    def test_same(self, kind: str, text: str) -> None:
        """Pattern and check agree."""
        schema = PARAMETERS[kind]
        described = jsonschema_rs.is_valid(dict(schema), text)
        try:
            PARSERS[kind](text)
            taken = True
        except ValueError:
            taken = False
        # Dot segments are the one thing that a pattern does not say.
        if kind == "hc" and {"", ".", ".."} & set(text.split("/")):
            return
        self.assertEqual(described, taken, text)
