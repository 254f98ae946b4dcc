"""What callers do wrong: each mistake has its status, code and words, never a 5xx."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import ANY

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from hybridconn.core.http import RequestHead
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import RequestTimedOut
from hybridconn.management.api import MOST_BODY
from hybridconn.testing.fakes import Answer, FakeHeldRequest
from hybridconn.testing.network import MemoryNetwork
from hybridconn.web.admission import Admission
from hybridconn.web.frontdoor import FrontDoor
from tests.management.case import BASE, GUID, NS, SUB, ApiCase
from tests.management.test_web import PLAN, RELAY, WEB, WebCase

HEADERS = (("Host", "api.test"), ("Authorization", "Bearer admin"))
VERSION = "?api-version=2021-11-01"


def error_of(answer: Any) -> tuple[int, str]:
    """Status and code; the shape is that of section 3."""
    assert isinstance(answer, Answer), answer
    value = json.loads(answer.body)
    assert value == {"error": {"code": ANY, "message": ANY, "details": []}}, value
    assert value["error"]["code"] and value["error"]["message"]
    return answer.status, value["error"]["code"]


class BodyTests(ApiCase):
    """Bodies."""

    def send(self, body: bytes, path: str = NS, length: int | None = -1) -> Any:
        size = len(body) if length == -1 else length
        head = RequestHead("PUT", path + VERSION, headers=HEADERS)
        request = FakeHeldRequest(head, body_length=size, body=body)
        self.api.handle(request)
        return request.outcome

    def test_not_json(self) -> None:
        """What two readers could read in two ways is refused."""
        for body in (
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"\xff\xfe{\x00}\x00",
            b'{"location": "\xff"}',
            b'{"location": NaN}',
            b'{"a": Infinity, "location": "x"}',
            b'{"a": -Infinity, "location": "x"}',
            b'{"location": "x", "location": "y"}',
            b'{"location": "x", "Location": "y"}',
            b'{"location": "x", "tags": {"a": "1", "a": "2"}}',
            b'{"location": "x", "properties": {"a": 1, "A": 1}}',
            b'{"location": ' + b"1" * 5000 + b"}",
            b'{"a": ' + b"[" * 100_000,
            b'{"a": ' * 100_000,
            b"{'location': 'x'}",
            b'{"location": "x"} {}',
            b"location=x",
        ):
            found = error_of(self.send(body))
            self.assertEqual(found, (400, "InvalidRequestContent"), body[:40])
        self.assertEqual(self.store.saved, [])

    def test_byte_order_mark(self) -> None:
        """It is passed over, as what PowerShell writes has one."""
        answer = self.send(b'\xef\xbb\xbf{"location": "x"}')
        self.assertEqual(answer.status, 200)

    def test_too_long(self) -> None:
        """A body is refused before it is read, if it says how long it is."""
        answer = self.send(b"", length=MOST_BODY + 1)
        self.assertEqual(error_of(answer), (400, "BadRequest"))
        answer = self.send(b" " * (MOST_BODY + 1), length=None)
        self.assertEqual(error_of(answer), (400, "BadRequest"))
        answer = self.send(b'{"location": "x"}' + b" " * (MOST_BODY - 17))
        self.assertEqual(answer.status, 200)

    def test_breaks_off(self) -> None:
        """A body that never comes is no 408, which clients would repeat."""
        head = RequestHead("PUT", NS + VERSION, headers=HEADERS)
        request = FakeHeldRequest(head, body_length=10)
        self.api.handle(request)
        assert request.sink is not None
        request.sink.body_failed(RequestTimedOut())
        self.assertEqual(error_of(request.outcome), (400, "BadRequest"))

    def test_values(self) -> None:
        """Of the wrong type, too long, or with what cannot be kept."""
        wrong: tuple[Any, ...] = (
            *({"location": one} for one in (5, True, 1.5)),
            {"location": []},
            {"location": {}},
            *({"location": one} for one in ("x\0", "\ud800", "x" * 2049)),
            *(
                {"location": "x", "tags": one}
                for one in ([1], "x", {"a": 1}, {"a": None})
            ),
            {"location": "x", "tags": {"a": "\udfff"}},
            {"location": "x", "tags": {"\0": "a"}},
            {"location": "x", "tags": {"a" * 513: "a"}},
            {"location": "x", "tags": {"a": "a" * 257}},
            {"location": "x", "tags": {str(n): "" for n in range(51)}},
            {"location": "x", "sku": []},
            {"location": "x", "sku": {"name": "Premium"}},
            {"location": "x", "sku": {"tier": "Premium"}},
            {"location": "x", "sku": {"name": 1}},
            {"location": "x", "properties": "x"},
            {"location": "x", "properties": {"publicNetworkAccess": 1}},
            {"location": "x", "properties": {"minimumTlsVersion": "1.1"}},
            {"location": "x", "properties": {"minimumTlsVersion": 1.2}},
        )
        for value in wrong:
            message = self.refused(400, "BadRequest", "PUT", NS, value)
            self.assertRegex(message, r"^'(location|tags|sku|properties)")
        for missing in ({}, {"location": None}, {"location": ""}, {"location": "  "}):
            self.refused(400, "LocationRequired", "PUT", NS, missing)
        self.assertEqual(self.store.saved, [])

    def test_ignored(self) -> None:
        """What is not known, null, or said by the path."""
        made = self.good(
            "PUT",
            NS,
            {
                "LOCATION": "x",
                "name": "other",
                "id": 7,
                "systemData": {"a": [None]},
                "tags": None,
                "sku": None,
                "properties": {
                    "provisioningState": "Failed",
                    "minimumTlsVersion": None,
                },
            },
        )
        self.assertEqual(made["name"], "contoso-relay")
        self.assertEqual(made["properties"]["provisioningState"], "Succeeded")

    @given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
    def test_anything(self, body: bytes) -> None:
        """Whatever comes, it is an answer of 4xx or a namespace."""
        answer = self.send(body)
        if answer.status != 200:
            self.assertIn(error_of(answer)[0], (400, 409))

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        (
                            "properties",
                            "userMetadata",
                            "rights",
                            "keyType",
                            "key",
                            "tags",
                        )
                    )
                    | st.text(max_size=5),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=8,
        ).map(lambda value: {"properties": value, "keyType": value, "location": "x"})
    )
    def test_any_json(self, value: object) -> None:
        """The same, of good JSON that means nothing."""
        self.namespace()
        root = f"{NS}/authorizationRules/RootManageSharedAccessKey"
        for method, path in (
            ("PUT", NS),
            ("PATCH", NS),
            ("PUT", f"{NS}/hybridConnections/a"),
            ("PUT", f"{NS}/authorizationRules/a"),
            ("POST", root + "/regenerateKeys"),
            ("PUT", f"{NS}/networkRuleSets/default"),
            ("PUT", f"{WEB}/serverfarms/a"),
            ("PUT", f"{WEB}/sites/aa"),
        ):
            status, found = self.call(method, path, value)
            if status != 200:
                self.assertLess(status, 500, found)


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
    """Rules that nobody would look at."""

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
        """Nothing is kept that would look like a protection."""
        self.namespace()
        place = f"{NS}/networkRuleSets/default"
        rule = [{"ipMask": "10.0.0.0/8", "action": "Allow"}]
        for code, properties in (
            ("NotSupported", {"defaultAction": "Deny"}),
            ("NotSupported", {"ipRules": rule}),
            ("NotSupported", {"trustedServiceAccessEnabled": True}),
            ("BadRequest", {"ipRules": "x"}),
            ("BadRequest", {"defaultAction": "Perhaps"}),
            ("BadRequest", {"publicNetworkAccess": "Perhaps"}),
        ):
            self.refused(400, code, "PUT", place, {"properties": properties})
        missing = place.replace("contoso", "other0")
        self.refused(404, "ParentResourceNotFound", "GET", missing)
        self.assertEqual(self.call("DELETE", f"{NS}/wcfRelays/a"), (204, None))


class FrontDoorTests(ApiCase):
    """What is no HTTP at all, over a connection."""

    def speak(self, data: bytes, wait: float = 0.0) -> tuple[int, dict[str, str], Any]:
        network, limits = MemoryNetwork(Clock()), Limits()
        clock = network.clock
        door = FrontDoor(
            *(self.api, limits, clock, Admission(limits, clock, lambda: 0.5)),
            *(lambda: self.now, lambda: GUID, self.api.refusal_answer),
        )
        network.listen("api.test", 443, door)
        got = bytearray()

        class Client:
            """Keeps what comes (Twisted)."""

            def makeConnection(self, transport: Any) -> None:
                transport.write(data)

            def dataReceived(self, more: bytes) -> None:
                got.extend(more)

            def connectionLost(self, reason: Failure) -> None:
                assert reason.check(ConnectionDone)

        class Factory:
            noisy = False

            def doStart(self) -> None:
                """Twisted's."""

            def doStop(self) -> None:
                """Twisted's."""

            def buildProtocol(self, address: object) -> Any:
                return Client()

        factory: Any = Factory()
        network.client_endpoint("api.test", 443).connect(factory)
        network.flush()
        network.advance(wait)
        head, _, body = bytes(got).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return int(first.split()[1]), fields, json.loads(body) if body else None

    def test_malformed(self) -> None:
        """Errors in the form of this API, with an id."""
        long = b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n"
        many = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 2000 + b"\r\n"
        get = b"GET / HTTP/1.1\r\n"
        for data, status, code in (
            (b"\x16\x03\x01\x00", 400, "BadRequest"),
            (b"nonsense\r\n\r\n", 400, "BadRequest"),
            (get + b"\r\n", 400, "BadRequest"),
            (get + b"Host: a\r\nHost: b\r\n\r\n", 400, "BadRequest"),
            (get + b"Host: a\r\nContent-Length: x\r\n\r\n", 400, "BadRequest"),
            (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "MethodNotAllowed"),
            (long, 414, "RequestUriTooLong"),
            (many, 431, "RequestHeaderFieldsTooLarge"),
            (get + b"Host: a", 400, "BadRequest"),
        ):
            found, fields, value = self.speak(data, wait=70.0)
            self.assertEqual((found, value["error"]["code"]), (status, code), data[:40])
            self.assertTrue(value["error"]["message"])
            self.assertEqual(fields["x-ms-request-id"], GUID)
            self.assertTrue(fields["Content-Type"].startswith("application/json"))

    def test_slow_body(self) -> None:
        """A body that stops coming is 400, and the connection ends."""
        head = (
            f"PUT {NS}{VERSION} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n"
        )
        data = (head + "Content-Length: 20\r\n\r\n{").encode()
        status, fields, value = self.speak(data, wait=600.0)
        self.assertEqual((status, value["error"]["code"]), (400, "BadRequest"))
        self.assertEqual(fields["Connection"], "close")

    def test_broken_chunks(self) -> None:
        """The same for one that is no body."""
        head = (
            f"PUT {NS}{VERSION} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n"
        )
        data = (head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n").encode()
        status, _, value = self.speak(data)
        self.assertEqual((status, value["error"]["code"]), (400, "BadRequest"))
