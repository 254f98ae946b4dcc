"""What holds for every call (management-api sections 1 to 3)."""

from __future__ import annotations

import json

from hybridconn.core.http import RequestHead
from hybridconn.management.api import MOST_BODY
from hybridconn.testing.fakes import Answer, FakeHeldRequest
from tests.management.case import BASE, GUID, NS, ApiCase
from tests.relay.scene import watch_log


class CallTests(ApiCase):
    """Tokens, versions, ids."""

    def answer(self, request: FakeHeldRequest) -> Answer:
        assert isinstance(request.outcome, Answer)
        return request.outcome

    def test_authentication(self) -> None:
        """It comes before everything else; the token is named nowhere."""
        for value in ("", "Bearer", "Bearer wrong", "Basic admin", "admin"):
            head = RequestHead("GET", "/nothing", headers=(("Authorization", value),))
            request = FakeHeldRequest(head)
            self.api.handle(request)
            answer = self.answer(request)
            self.assertEqual(answer.status, 401)
            self.assertIn(("WWW-Authenticate", "Bearer"), answer.headers)
            self.assertNotIn(b"wrong", answer.body)
            self.assertFalse(request.is_authenticated)
        self.assertTrue(self.request("GET", "/nothing").is_authenticated)

    def test_audit(self) -> None:
        """A line for each call: who, from where, what, how it went; no secret."""
        lines = watch_log(self)
        self.namespace()
        rule = f"{NS}/authorizationRules/RootManageSharedAccessKey"
        shown = self.good("POST", rule + "/listKeys")
        self.call("DELETE", NS, role="reader")
        head = RequestHead("GET", "/x?secret", headers=(("Authorization", "secret"),))
        self.api.handle(FakeHeldRequest(head))
        audit = [line for line in lines if line.startswith("audit: ")]
        self.assertEqual(len(audit), 4)
        self.assertTrue(audit[0].startswith("audit: admin from 192.0.2."), audit[0])
        self.assertIn(f"PUT {NS}: 200", audit[0])
        self.assertIn(f"POST {rule}/listKeys: 200", audit[1])
        self.assertIn("audit: reader", audit[2])
        self.assertIn(": 403,", audit[2])
        self.assertIn("audit: nobody", audit[3])
        for secret in ("secret", shown["primaryKey"]):
            self.assertNotIn(secret, "".join(audit))

    def test_audit_events(self) -> None:
        """The audit is told the same, and why; a path only if it is one of ours."""
        self.namespace()
        self.call("DELETE", NS, role="reader")
        self.call("DELETE", NS, role="stranger")
        self.call("PUT", f"{NS}/authorizationRules/a", {"properties": {"rights": []}})
        self.call("GET", "/secret-in-a-path")
        self.call("GET", NS, query="?api-version=secret")
        self.assertEqual(
            [
                (e.who, e.operation, e.outcome, e.status, e.code)
                for e in self.audit.events
            ],
            [
                ("admin", "NamespacesCreateOrUpdate", "allowed", 200, ""),
                ("reader", "NamespacesDelete", "refused", 403, "AuthorizationFailed"),
                ("", "NamespacesDelete", "refused", 401, "AuthenticationFailed"),
                (
                    *("admin", "NamespacesCreateOrUpdateAuthorizationRule"),
                    *("failed", 400, "BadRequest"),
                ),
                ("admin", "", "failed", 404, "ResourceNotFound"),
                ("admin", "NamespacesGet", "failed", 400, "InvalidApiVersionParameter"),
            ],
        )
        for event in self.audit.events:
            self.assertEqual((event.event, event.id), ("management", GUID))
            self.assertNotIn("secret", event.line(self.now))
        self.assertEqual(self.audit.events[0].target, NS)

    def test_roles(self) -> None:
        """A reader has GET alone: he changes nothing and sees no keys."""
        self.namespace()
        rule = f"{NS}/authorizationRules/RootManageSharedAccessKey"
        self.good("GET", rule, role="reader")
        check = BASE.replace("/resourceGroups/rg1", "") + "/checkNameAvailability"
        for method, path in (
            ("PUT", NS),
            ("PUT", NS + "/networkRuleSets/default"),
            ("PUT", NS + "/wcfRelays/a"),
            ("POST", check),
            ("PATCH", NS),
            ("DELETE", NS),
            ("POST", rule + "/listKeys"),
            ("POST", rule + "/regenerateKeys"),
        ):
            status, value = self.call(method, path, {}, role="reader")
            self.assertEqual(
                (status, value["error"]["code"]), (403, "AuthorizationFailed")
            )
        self.good("POST", check, {"name": "free-name"})

    def test_versions(self) -> None:
        """Every well-formed one is taken."""
        self.namespace()
        for version in ("2016-07-01", "2026-07-01-preview"):
            self.good("GET", NS, query=f"?API-Version={version}")
        for query, code in (
            ("", "MissingApiVersionParameter"),
            ("?api-version=", "MissingApiVersionParameter"),
            ("?api-version=2021", "InvalidApiVersionParameter"),
        ):
            status, value = self.call("GET", NS, query=query)
            self.assertEqual((status, value["error"]["code"]), (400, code))

    def test_subscription(self) -> None:
        """Only its own, in any case."""
        self.namespace()
        other = NS.replace("6f1a1a3e", "6f1a1a3f")
        self.refused(404, "SubscriptionNotFound", "GET", other)
        self.good("GET", NS.upper())

    def test_ids(self) -> None:
        """Every answer has an id; the client's comes back if it asks."""
        headers = (
            ("Authorization", "Bearer admin"),
            ("x-ms-return-client-request-id", "true"),
            ("x-ms-client-request-id", "mine"),
        )
        request = FakeHeldRequest(RequestHead("GET", "/nothing", headers=headers))
        self.api.handle(request)
        fields = dict(self.answer(request).headers)
        self.assertEqual(fields["x-ms-request-id"], GUID)
        self.assertEqual(fields["x-ms-client-request-id"], "mine")
        # Keys may stand in an answer: nobody on the way is to keep one.
        self.assertEqual(fields["Cache-Control"], "no-store")

    def test_bodies(self) -> None:
        """No JSON, no object, too long: 400."""
        headers = (("Host", "api.test"), ("Authorization", "Bearer admin"))
        for body, code in (
            (b"{", "InvalidRequestContent"),
            (b"[]", "InvalidRequestContent"),
            (b"\xff", "InvalidRequestContent"),
            (b"[" * 100_000, "InvalidRequestContent"),
            (b" " * (MOST_BODY + 1), "BadRequest"),
        ):
            head = RequestHead("PUT", f"{NS}?api-version=2021-11-01", headers=headers)
            request = FakeHeldRequest(head, body_length=len(body), body=body)
            self.api.handle(request)
            answer = self.answer(request)
            error = json.loads(answer.body)["error"]
            self.assertEqual((answer.status, error["code"]), (400, code), body[:9])

    def test_paths(self) -> None:
        """405 for a known path, 404 for no path; both say so in JSON."""
        answer = self.answer(self.request("TRACE", NS))
        self.assertEqual(answer.status, 405)
        self.assertIn(("Allow", "DELETE, GET, PATCH, PUT"), answer.headers)
        for path in ("/", "//", NS + "/", f"{BASE}/namespaces//hybridConnections"):
            self.assertEqual(self.request("GET", path).outcome.status, 404, path)  # type: ignore[union-attr]
        for escaped in ("%00", "%1f", "%7F"):
            self.refused(404, "ResourceNotFound", "GET", f"{NS}{escaped}")

    def test_others_lists(self) -> None:
        """What this server has none of is an empty list."""
        self.namespace()
        for kind in ("wcfRelays", "privateEndpointConnections", "privateLinkResources"):
            self.assertEqual(self.good("GET", f"{NS}/{kind}"), {"value": []})
            self.refused(404, "ResourceNotFound", "GET", f"{NS}/{kind}/a")
            self.refused(400, "NotSupported", "PUT", f"{NS}/{kind}/a", {})
        self.assertEqual(
            self.good("GET", "/providers/Microsoft.Relay/operations"), {"value": []}
        )
