"""What callers do wrong: each mistake has its status, code and words, never a 5xx."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hybridconn.core.http import RequestHead
from hybridconn.testing.fakes import FakeHeldRequest
from tests.management.case import BASE, NS, SUB, ApiCase, error_of
from tests.management.test_web import PLAN, RELAY, WEB, WebCase

HEADERS = (("Host", "api.test"), ("Authorization", "Bearer admin"))
VERSION = "?api-version=2021-11-01"


class PathTests(WebCase):
    """Paths, queries and methods."""

    def answer(self, method: str, target: str, headers: Any = HEADERS) -> Any:
        request = FakeHeldRequest(RequestHead(method, target, headers=headers))
        self.api.handle(request)
        return request.outcome

    def test_names(self) -> None:
        """A name that cannot be is 400 where it would be made, 404 or 204 elsewhere."""
        bad = ("%00", "%FF", "%C3%28", "a%0d%0ab", "..", "%2e%2e", "%20", "ä", "a%2F")
        group = f"/subscriptions/{SUB}/resourceGroups"
        for name in (*bad, "%C3%A4", "x" * 300, "-x-", "%2Fx"):
            escaped = name.replace("ä", "%E4")
            for method, path, status, code in (
                ("PUT", f"{BASE}/namespaces/{escaped}", 400, "InvalidResourceName"),
                ("GET", f"{BASE}/namespaces/{escaped}", 404, "ResourceNotFound"),
                (
                    "PUT",
                    f"{NS}/hybridConnections/{escaped}",
                    400,
                    "InvalidResourceName",
                ),
                ("GET", f"{NS}/hybridConnections/{escaped}", 404, "ResourceNotFound"),
                *(
                    (method, f"{NS}/authorizationRules/{escaped}", status, code)
                    for method, status, code in (
                        ("PUT", 400, "InvalidResourceName"),
                        ("GET", 404, "ResourceNotFound"),
                    )
                ),
                ("GET", f"{WEB}/sites/{escaped}", 404, "ResourceNotFound"),
            ):
                body = {"location": "x", "properties": {"rights": ["Send"]}}
                found, value = self.call(
                    method, path, body if method == "PUT" else None
                )
                self.assertEqual(
                    (found, value["error"]["code"]), (status, code), f"{method} {path}"
                )
            for path in (f"{BASE}/namespaces/", f"{NS}/hybridConnections/"):
                self.assertEqual(self.call("DELETE", path + escaped), (204, None))
        self.refused(400, "InvalidResourceName", "PUT", group + "/a.", {})
        self.refused(404, "ResourceNotFound", "GET", group + "/a.")
        slot = f"{WEB}/sites/app1/slots/%00/{RELAY}/db"
        self.refused(400, "InvalidResourceName", "PUT", slot, {})

    def test_boundaries(self) -> None:
        """The longest names are good, one more is not (section 6)."""
        rule = {"properties": {"rights": ["Send"]}}
        place = {"location": "x"}
        for path, longest, body in (
            (f"{BASE}/namespaces/", "n" * 50, place),
            (f"{NS}/hybridConnections/", "h" * 260, {}),
            (f"{NS}/authorizationRules/", "r" * 50, rule),
            (f"{WEB}/serverfarms/", "p" * 60, place),
        ):
            self.good("PUT", path + longest, body)
            self.refused(400, "InvalidResourceName", "PUT", path + longest + "x", body)
        self.refused(
            400, "InvalidResourceName", "PUT", f"{BASE}/namespaces/" + "n" * 5, place
        )
        long = f"/subscriptions/{SUB}/resourceGroups/" + "g" * 91
        self.refused(
            *(400, "InvalidResourceName", "PUT"),
            f"{long}/providers/Microsoft.Relay/namespaces/other0",
            place,
        )

    def test_metadata(self) -> None:
        """1024 characters, of any kind that can be kept, byte for byte."""
        place = f"{NS}/hybridConnections/m"
        text = "ä\t\u2028€😀" + "x" * 1019
        made = self.good("PUT", place, {"properties": {"userMetadata": text}})
        self.assertEqual(made["properties"]["userMetadata"], text)
        for wrong in ("x" * 1025, "\0", "\ud83d", 5, ["x"]):
            body = {"properties": {"userMetadata": wrong}}
            self.refused(400, "BadRequest", "PUT", place, body)
        odd = [
            {"key": "endpoint", "value": one} for one in ("a b:1", "\ud800:1", "\n:1")
        ]
        for entry in odd:
            text = json.dumps([entry])
            self.good("PUT", place, {"properties": {"userMetadata": text}})
            self.refused(400, "BadRequest", "PUT", f"{WEB}/sites/app1/{RELAY}/m", {})

    def test_methods(self) -> None:
        """405 in every case, with what is possible."""
        for method in ("HEAD", "OPTIONS", "TRACE", "get", "Put", "PROPFIND", "X" * 99):
            answer = self.answer(method, NS + VERSION)
            self.assertEqual(error_of(answer), (405, "MethodNotAllowed"), method)
            self.assertIn(("Allow", "DELETE, GET, PATCH, PUT"), answer.headers)
        for path in ("*", "/", "", "//", "/x", NS + "/x", "/subscriptions//providers"):
            answer = self.answer("OPTIONS", path + VERSION)
            self.assertEqual(error_of(answer), (404, "ResourceNotFound"), path)

    def test_forms(self) -> None:
        """A slash more, or the whole URL, is the same resource."""
        for target in (
            NS + "/",
            "/" + NS,
            f"https://api.test{NS}",
            f"HTTP://other{NS}",
        ):
            answer = self.answer("GET", target + VERSION)
            self.assertEqual(answer.status, 200, target)

    def test_versions(self) -> None:
        """Every mistake of C{api-version} is one of two."""
        for query, code in (
            ("", "Missing"),
            ("?", "Missing"),
            ("?api-version", "Missing"),
            ("?x=api-version", "Missing"),
            ("?api-version=", "Missing"),
            ("?api-version=2021-11-1", "Invalid"),
            ("?api-version=2021-11-01-beta", "Invalid"),
            ("?api-version=2021-11-01%00", "Invalid"),
            ("?api-version=%FF", "Invalid"),
            ("?api-version=٢٠٢١-11-01".encode().decode("latin-1"), "Invalid"),
            ("?api-version=2021-11-01%0a", "Invalid"),
        ):
            answer = self.answer("GET", NS + query)
            expected = f"{code}ApiVersionParameter"
            self.assertEqual(error_of(answer), (400, expected), query)

    def test_markers(self) -> None:
        """Only what this server gave is a marker."""
        for number in range(120):
            self.good("PUT", f"{NS}/hybridConnections/c{number:03}", {})
        lists = f"{NS}/hybridConnections"
        link = self.good("GET", lists)["nextLink"]
        marker = link.rpartition("=")[2]
        self.assertRegex(marker, r"^[A-Za-z0-9_-]+$")
        for name in ("$skiptoken", "%24skiptoken", "$SkipToken"):
            page = self.good("GET", lists, query=f"{VERSION}&{name}={marker}")
            self.assertEqual(len(page["value"]), 21)
        for wrong in (
            *(
                "",
                "x",
                "!",
                "%00",
                "%FF",
                "%C3%A4",
                marker + "=",
                marker + "A",
                marker[1:],
            ),
            *("aGMxMDA", "YR9i", "Q29udG9zbw", "A" * 3000),
        ):
            answer = self.answer("GET", f"{lists}{VERSION}&$skiptoken={wrong}")
            self.assertEqual(error_of(answer), (400, "BadRequest"), wrong)

    def test_hosts(self) -> None:
        """A Host that is none could lead the next page anywhere."""
        for host in ("", "a b", "api.test/evil", 'x"><a', "u@h", "h:99999"):
            headers = (("Host", host), HEADERS[1])
            answer = self.answer("GET", NS + VERSION, headers)
            self.assertEqual(error_of(answer), (400, "BadRequest"), host)

    def test_long_query(self) -> None:
        """A query of any kind is read or passed over."""
        for query in ("&" * 9000, "&a=b" * 2000, "&%", "&%zz=%", "&;=;", "&a=%F0%9F"):
            answer = self.answer("GET", NS + VERSION + query)
            self.assertEqual(answer.status, 200)

    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
    def test_any_path(self, text: str) -> None:
        """Whatever stands in a request line."""
        for prefix in ("/", NS + "/", f"{WEB}/sites/app1/", f"{PLAN}/"):
            for method in ("GET", "DELETE", "PUT", "PATCH", "POST"):
                answer = self.answer(method, prefix + text)
                if answer.status >= 400:
                    self.assertIn(error_of(answer)[0], (400, 404, 405, 410))


class AttachmentTests(WebCase):
    """What an app is told to use."""

    def test_ids(self) -> None:
        """C{relayArmUri} is read without case, and names the true group."""
        place = f"{WEB}/sites/app1/{RELAY}"
        self.connection("plant%2Fdb")
        name = f"{NS}/hybridConnections/plant"
        for uri in (
            f"{name}/db",
            f"{name}%2Fdb",
            f"{name}%2fdb".upper(),
            name[1:] + "/db",
        ):
            body = {"properties": {"relayArmUri": uri}}
            made = self.good("PUT", f"{place}/plant%2Fdb", body)
            self.assertEqual(
                made["properties"]["relayArmUri"],
                f"{NS}/hybridConnections/plant%2Fdb",
            )
        db = f"{NS}/hybridConnections/db"
        for status, code, uri in (
            (404, "ResourceNotFound", db.replace("rg1", "rg9")),
            (404, "ResourceNotFound", db.replace(SUB, SUB[::-1])),
            (400, "BadRequest", NS),
            (400, "BadRequest", NS + "/hybridConnections/"),
            (400, "BadRequest", db + "/x"),
            (400, "BadRequest", db.replace("Microsoft.Relay", "Microsoft.Web")),
            (400, "BadRequest", "/".join("abcdefghijk")),
            (400, "BadRequest", "x"),
        ):
            body = {"properties": {"relayArmUri": uri}}
            self.refused(status, code, "PUT", f"{place}/db", body)

    def test_ports(self) -> None:
        """1 to 65535, as a number or its digits."""
        place = f"{WEB}/sites/app1/{RELAY}/db"
        good: tuple[Any, ...] = (1, "65535", "0080")
        for port in good:
            made = self.attach(port=port)
            self.assertEqual(made["properties"]["port"], int(port))
        bad: tuple[Any, ...] = (
            0,
            -1,
            65536,
            10**400,
            1.5,
            80.0,
            True,
            "",
            "x",
            "-1",
            "1e3",
            "٣",
            [],
        )
        for port in bad:
            for method in ("PUT", "PATCH"):
                body = {"properties": {"port": port}}
                self.refused(400, "BadRequest", method, place, body)

    def test_texts(self) -> None:
        """Texts that cannot be, on attaching and changing."""
        self.attach()
        place = f"{WEB}/sites/app1/{RELAY}/db"
        wrong: tuple[Any, ...] = (
            {"hostname": "h" * 256},
            {"hostname": 5},
            {"hostname": "a\0"},
            {"sendKeyName": ["x"]},
            {"sendKeyValue": "\ud800"},
            {"serviceBusNamespace": "other0"},
            {"relayName": "other"},
            {"relayArmUri": "x"},
            {"relayArmUri": f"{NS}/hybridConnections/other"},
        )
        for body in wrong:
            for method in ("PUT", "PATCH"):
                self.refused(400, "BadRequest", method, place, {"properties": body})
        body = {"properties": {"sendKeyName": "nobody"}}
        self.refused(400, "BadRequest", "PUT", place, body)
        made = self.attach(
            sendKeyName="", sendKeyValue="", hostname="", serviceBusSuffix=7
        )
        self.assertEqual(made["properties"]["hostname"], "db.corp")

    def test_limit_is_lowered(self) -> None:
        """What is used already stays good, and so do changes of it."""
        for number in range(3):
            self.connection(f"c{number}")
            self.attach(f"c{number}")
        self.good("PUT", PLAN, {"location": "x", "sku": {"name": "F1"}})
        self.assertEqual(self.limit, (3, 0))
        self.attach("c1", port=9)
        self.app("app1")
        self.refused(403, "QuotaExceeded", "PUT", f"{WEB}/sites/app1/{RELAY}/db", {})

    def test_moved_app(self) -> None:
        """An app brings what it uses into another plan, if there is room."""
        self.attach()
        small, body = (
            f"{WEB}/serverfarms/small",
            {"location": "x", "sku": {"name": "F1"}},
        )
        self.good("PUT", small, body)
        move = {"location": "x", "properties": {"serverFarmId": small}}
        self.refused(403, "QuotaExceeded", "PUT", f"{WEB}/sites/app1", move)
        self.assertEqual(
            self.good("GET", f"{WEB}/sites/app1")["properties"]["serverFarmId"], PLAN
        )

    def test_cases_stay(self) -> None:
        """Names keep the case of their creation, and nothing moves."""
        self.good("PUT", f"{WEB}/SITES/APP1".replace("rg2", "RG2"), {"location": "X"})
        self.good("PUT", PLAN.replace("plan1", "PLAN1"), {"location": "x"})
        self.assertEqual(
            self.good("GET", f"{WEB}/sites/app1")["id"], f"{WEB}/sites/app1"
        )
        self.assertEqual(self.good("GET", PLAN)["id"], PLAN)
        for path in (PLAN, f"{WEB}/sites/app1"):
            self.refused(409, "InvalidResourceLocation", "PUT", path, {"location": "y"})

    def test_wrong_plans(self) -> None:
        """Only a plan that is here will do."""
        site = f"{WEB}/sites/other"
        for wanted in (
            "x",
            "/",
            PLAN + "/x",
            PLAN[:-6],
            f"{WEB}/sites/app1",
            NS,
            PLAN + "x",
        ):
            body = {"location": "x", "properties": {"serverFarmId": wanted}}
            self.refused(404, "ResourceNotFound", "PUT", site, body)


class NetworkRuleTests(ApiCase):
    """Rules of networks."""

    def test_round_trip(self) -> None:
        """What was answered can be sent back; access is kept with the namespace."""
        self.namespace()
        place = f"{NS}/networkRuleSets/default"
        shown = self.good("GET", place)
        shown["properties"]["publicNetworkAccess"] = "Disabled"
        self.assertEqual(self.good("PUT", place, shown), shown)
        self.assertEqual(self.good("GET", place), shown)
        namespace = self.good("GET", NS)
        self.assertEqual(namespace["properties"]["publicNetworkAccess"], "Disabled")

    def test_refused(self) -> None:
        """A namespace must be there."""
        self.namespace()
        place = f"{NS}/networkRuleSets/default"
        body = {"properties": {"publicNetworkAccess": "Perhaps"}}
        self.refused(400, "BadRequest", "PUT", place, body)
        missing = place.replace("contoso", "other0")
        self.refused(404, "ParentResourceNotFound", "GET", missing)
        self.assertEqual(self.call("DELETE", f"{NS}/wcfRelays/a"), (204, None))
