"""Microsoft.Relay: what each operation does (management-api section 7)."""

from __future__ import annotations

import base64

from twisted.internet.defer import Deferred

from hybridconn.core.entities import Claim
from hybridconn.core.resources import ROOT_RULE
from hybridconn.testing.fakes import Answer
from tests.management.case import BASE, ENDPOINT, NS, SUB, ApiCase, make_server


class NamespaceTests(ApiCase):
    """Namespaces."""

    def test_shape(self) -> None:
        """It is answered as section 7.2 says."""
        made = self.good(
            "PUT", NS, {"location": "westeurope", "tags": {"team": "edge"}}
        )
        self.assertEqual(
            made,
            {
                "id": NS,
                "name": "contoso-relay",
                "type": "Microsoft.Relay/Namespaces",
                "location": "westeurope",
                "tags": {"team": "edge"},
                "sku": {"name": "Standard", "tier": "Standard"},
                "properties": {
                    "provisioningState": "Succeeded",
                    "status": "Active",
                    "createdAt": "2030-03-17T17:46:40.000Z",
                    "updatedAt": "2030-03-17T17:46:40.000Z",
                    "serviceBusEndpoint": "https://contoso-relay.relay.test:443/",
                    "metricId": f"{SUB}:contoso-relay",
                    "publicNetworkAccess": "Enabled",
                    "minimumTlsVersion": "1.2",
                },
            },
        )
        self.assertEqual(self.good("GET", NS.upper()), made)

    def test_update(self) -> None:
        """PUT replaces tags and keeps all else; PATCH keeps what is absent."""
        self.good("PUT", NS, {"location": "westeurope", "tags": {"a": "b"}})
        key = self.good("POST", f"{NS}/authorizationRules/{ROOT_RULE}/listKeys")
        self.now += 60
        again = self.good("PUT", NS, {"location": "West Europe"})
        self.assertEqual(again["tags"], {})
        self.assertEqual(again["properties"]["createdAt"], "2030-03-17T17:46:40.000Z")
        self.assertEqual(again["properties"]["updatedAt"], "2030-03-17T17:47:40.000Z")
        rule = f"{NS}/authorizationRules/rootmanagesharedaccesskey/listKeys"
        self.assertEqual(self.good("POST", rule), key)
        body = {"properties": {"minimumTlsVersion": "1.3"}, "tags": {"c": "d"}}
        patched = self.good("PATCH", NS, body)
        self.assertEqual(patched["properties"]["minimumTlsVersion"], "1.3")
        self.assertEqual(self.good("PATCH", NS, {})["tags"], {"c": "d"})

    def test_clock_goes_back(self) -> None:
        """C{updatedAt} is never earlier than before."""
        before = self.namespace()
        self.now -= 3600
        self.assertEqual(self.namespace()["properties"], before["properties"])

    def test_delete(self) -> None:
        """It goes with all that is in it; the relay sees it at once."""
        self.namespace()
        self.good("PUT", f"{NS}/hybridConnections/db")
        gone: list[tuple[str, str]] = []
        self.book.entities.watch(lambda name, path: gone.append((name, path)))
        self.assertEqual(self.call("DELETE", NS), (200, None))
        self.assertEqual(gone, [("contoso-relay", "db"), ("contoso-relay", "")])
        self.assertEqual(list(self.book.entities.namespaces()), [])
        self.assertEqual(self.call("DELETE", NS), (204, None))
        self.refused(404, "ResourceNotFound", "GET", NS)
        self.namespace()
        self.assertEqual(self.good("GET", f"{NS}/hybridConnections"), {"value": []})

    def test_mistakes(self) -> None:
        """Each with its status and code, and nothing is kept."""
        self.namespace()
        kept = len(self.store.saved)
        for status, code, method, path, body in (
            (400, "LocationRequired", "PUT", NS, {}),
            (409, "InvalidResourceLocation", "PUT", NS, {"location": "mars"}),
            (409, "Conflict", "PUT", NS.replace("rg1", "rg2"), {"location": "x"}),
            (
                400,
                "InvalidResourceName",
                "PUT",
                f"{BASE}/namespaces/a",
                {"location": "x"},
            ),
            (400, "BadRequest", "PUT", NS, {"location": 5}),
            (400, "BadRequest", "PUT", NS, {"location": "westeurope", "tags": [1]}),
            (400, "BadRequest", "PATCH", NS, {"sku": {"name": "Premium"}}),
            (
                *(400, "BadRequest", "PATCH", NS),
                {"properties": {"publicNetworkAccess": "Maybe"}},
            ),
            (404, "ResourceNotFound", "PATCH", NS + "x", {}),
            (
                400,
                "BadRequest",
                "POST",
                f"/subscriptions/{SUB}/providers/Microsoft.Relay/checkNameAvailability",
                {},
            ),
        ):
            self.refused(status, code, method, path, body)
        self.assertEqual(len(self.store.saved), kept)


class ConnectionTests(ApiCase):
    """Hybrid connections."""

    def setUp(self) -> None:
        super().setUp()
        self.namespace()

    def test_shape(self) -> None:
        """It is answered as section 7.3 says; a slash in its name is escaped."""
        self.listeners["contoso-relay", "plant/db"] = 3
        made = self.good(
            "PUT",
            f"{NS}/hybridConnections/plant%2Fdb",
            {"properties": {"userMetadata": ENDPOINT}},
        )
        self.assertEqual(
            made,
            {
                "id": f"{NS}/hybridConnections/plant%2Fdb",
                "name": "plant/db",
                "type": "Microsoft.Relay/Namespaces/HybridConnections",
                "properties": {
                    "createdAt": "2030-03-17T17:46:40.000Z",
                    "updatedAt": "2030-03-17T17:46:40.000Z",
                    "listenerCount": 3,
                    "requiresClientAuthorization": True,
                    "userMetadata": ENDPOINT,
                    "status": "Active",
                },
            },
        )
        self.assertEqual(self.good("GET", f"{NS}/HYBRIDCONNECTIONS/PLANT%2fDB"), made)

    def test_data_plane(self) -> None:
        """The relay sees what it is to see, with the rules."""
        self.good(
            "PUT",
            f"{NS}/hybridConnections/db",
            {
                "PROPERTIES": {
                    "usermetadata": ENDPOINT,
                    "requiresClientAuthorization": False,
                }
            },
        )
        (namespace,) = self.book.entities.namespaces()
        self.assertEqual(namespace.host_names, ("contoso-relay.relay.test",))
        self.assertEqual(namespace.rules[0].claims, frozenset(Claim))
        (entity,) = namespace.hybrid_connections
        self.assertFalse(entity.requires_client_authorization)
        self.assertEqual(
            [(rule.name, set(rule.rights)) for rule in entity.rules],
            [("defaultListener", {Claim.LISTEN}), ("defaultSender", {Claim.SEND})],
        )
        place = f"{NS}/hybridConnections/db/authorizationRules/defaultSender"
        shown = self.good("POST", place + "/listKeys")
        key = entity.rules[1].primary_key.reveal()
        self.assertEqual(shown["primaryKey"], key)
        self.assertEqual(
            shown["primaryConnectionString"],
            "Endpoint=sb://contoso-relay.relay.test/;SharedAccessKeyName=defaultSender;"
            f"SharedAccessKey={key};EntityPath=db",
        )
        self.good("POST", place + "/regenerateKeys", {"keyType": "primarykey"})
        (namespace,) = self.book.entities.namespaces()
        self.assertNotEqual(
            namespace.hybrid_connections[0].rules[1].primary_key.reveal(), key
        )
        self.assertEqual(self.call("DELETE", place)[0], 200)
        self.assertEqual(self.call("DELETE", place)[0], 204)
        self.assertEqual(self.call("DELETE", f"{NS}/hybridConnections/db")[0], 200)
        self.assertEqual(
            list(self.book.entities.namespaces()[0].hybrid_connections), []
        )

    def test_no_default_rules(self) -> None:
        """One without an endpoint gets none; those that are there stay."""
        place = f"{NS}/hybridConnections/db"
        self.good("PUT", place, {"properties": {"userMetadata": "free text"}})
        self.assertEqual(self.good("GET", place + "/authorizationRules"), {"value": []})
        rule = place + "/authorizationRules/DEFAULTSENDER"
        self.good("PUT", rule, {"properties": {"rights": ["Listen", "Send"]}})
        keys = self.good("POST", rule + "/listKeys")
        self.good("PUT", place, {"properties": {"userMetadata": ENDPOINT}})
        self.assertEqual(self.good("POST", rule + "/listKeys"), keys)
        self.assertEqual(
            self.good("GET", rule)["properties"]["rights"], ["Listen", "Send"]
        )

    def test_pages(self) -> None:
        """100 a page, an absolute link, and nothing twice or skipped."""
        for number in range(250):
            self.good("PUT", f"{NS}/hybridConnections/c{number:03}")
        first = self.good("GET", f"{NS}/hybridConnections")
        link = first["nextLink"]
        self.assertTrue(link.startswith(f"https://api.test{NS}/hybridConnections?"))
        # Between two pages things come and go.
        self.call("DELETE", f"{NS}/hybridConnections/c099")
        self.call("DELETE", f"{NS}/hybridConnections/c100")
        names = [one["name"] for one in first["value"]]
        while link:
            path, _, query = link.removeprefix("https://api.test").partition("?")
            page = self.good("GET", path, query=f"?{query}")
            names += [one["name"] for one in page["value"]]
            link = page.get("nextLink")
        self.assertEqual(names, [f"c{n:03}" for n in range(250) if n != 100])

    def test_public_url(self) -> None:
        """It stands in links in the place of the Host that was used."""
        self.server = make_server(public_url="https://api.example:8444")
        self.make_api()
        for number in range(101):
            self.good("PUT", f"{NS}/hybridConnections/c{number:03}")
        link = self.good("GET", f"{NS}/hybridConnections")["nextLink"]
        self.assertTrue(link.startswith(f"https://api.example:8444{NS}/"), link)

    def test_mistakes(self) -> None:
        """Each with its status and code."""
        long = {"properties": {"userMetadata": "x" * 1025}}
        wrong = {"properties": {"requiresClientAuthorization": "yes"}}
        db = f"{NS}/hybridConnections/db"
        for status, code, method, path, body in (
            (400, "BadRequest", "PUT", db, long),
            (400, "BadRequest", "PUT", db, wrong),
            (400, "InvalidResourceName", "PUT", f"{NS}/hybridConnections/-", {}),
            (400, "InvalidResourceName", "PUT", f"{NS}/hybridConnections/a%2F%2Fb", {}),
            (404, "ParentResourceNotFound", "PUT", db.replace("contoso", "other0"), {}),
            (404, "ResourceNotFound", "GET", db, None),
            (404, "ParentResourceNotFound", "GET", db.replace("contoso", "o"), None),
            (
                *(404, "ParentResourceNotFound", "GET"),
                *(f"{NS}x/hybridConnections", None),
            ),
            (404, "ParentResourceNotFound", "GET", f"{NS}x/authorizationRules", None),
            (404, "ParentResourceNotFound", "GET", f"{db}/authorizationRules", None),
            (405, "MethodNotAllowed", "PATCH", db, {}),
        ):
            self.refused(status, code, method, path, body)

    def test_full(self) -> None:
        """No more than a namespace may have; an update is no new one."""
        self.quotas.entities_per_namespace = 2
        for name in ("a", "b", "a"):
            self.good("PUT", f"{NS}/hybridConnections/{name}")
        self.refused(403, "QuotaExceeded", "PUT", f"{NS}/hybridConnections/c")


class RuleTests(ApiCase):
    """Rules and keys."""

    def setUp(self) -> None:
        super().setUp()
        self.namespace()
        self.rules = f"{NS}/authorizationRules"

    def test_namespace_rule(self) -> None:
        """No C{EntityPath} at the namespace; every entity sees it."""
        self.good("PUT", f"{self.rules}/snd", {"properties": {"rights": ["Send"]}})
        keys = self.good("POST", f"{self.rules}/snd/listKeys")
        self.assertNotIn("EntityPath", keys["primaryConnectionString"])
        for name in ("primaryKey", "secondaryKey"):
            self.assertEqual(len(base64.b64decode(keys[name])), 32)
        self.assertNotEqual(keys["primaryKey"], keys["secondaryKey"])
        (namespace,) = self.book.entities.namespaces()
        self.assertEqual(len(namespace.rules), 2)

    def test_own_key(self) -> None:
        """A key of one's own must be 32 bytes."""
        rule = f"{self.rules}/RootManageSharedAccessKey/regenerateKeys"
        own = base64.b64encode(b"k" * 32).decode()
        made = self.good("POST", rule, {"keyType": "SecondaryKey", "key": own})
        self.assertEqual(made["secondaryKey"], own)
        for body in (
            {"keyType": "SecondaryKey", "key": "short"},
            {"keyType": "ThirdKey"},
            {},
        ):
            self.refused(400, "BadRequest", "POST", rule, body)

    def test_twelve(self) -> None:
        """The 13th is refused, the change of one of the twelve is not."""
        rights = {"properties": {"rights": ["Listen"]}}
        for number in range(11):
            self.good("PUT", f"{self.rules}/r{number}", rights)
        self.refused(403, "QuotaExceeded", "PUT", f"{self.rules}/r11", rights)
        self.good("PUT", f"{self.rules}/r1", {"properties": {"rights": ["Send"]}})
        self.assertEqual(self.call("DELETE", f"{self.rules}/r1")[0], 200)
        self.good("PUT", f"{self.rules}/r11", rights)

    def test_rights(self) -> None:
        """What they may not be."""
        for rights in (
            [],
            ["Send", "send"],
            ["Manage", "Send"],
            ["Write"],
            "Send",
            [1],
        ):
            body = {"properties": {"rights": rights}}
            self.refused(400, "BadRequest", "PUT", f"{self.rules}/r", body)
        self.refused(400, "InvalidResourceName", "PUT", f"{self.rules}/-r", {})


class OrderTests(ApiCase):
    """One change after the other."""

    def test_waits_for_the_store(self) -> None:
        """Nothing is answered or seen before it is kept; the next one waits."""
        slow = self.store.slow = Deferred()
        first = self.request("PUT", NS, {"location": "x"})
        second = self.request("PUT", f"{NS}/hybridConnections/db", {})
        self.assertEqual((first.outcome, second.outcome), (None, None))
        self.assertEqual(list(self.book.entities.namespaces()), [])
        slow.callback(None)
        for request in (first, second):
            assert isinstance(request.outcome, Answer)
            self.assertEqual(request.outcome.status, 200)

    def test_store_fails(self) -> None:
        """500, the reason is logged, and nothing has changed."""
        slow = self.store.slow = Deferred()
        request = self.request("PUT", NS, {"location": "x"})
        slow.errback(OSError("disk full"))
        assert isinstance(request.outcome, Answer)
        self.assertEqual(request.outcome.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.refused(404, "ResourceNotFound", "GET", NS)
        self.namespace()

    def test_no_change(self) -> None:
        """What changes nothing is not written."""
        self.namespace()
        self.good("PUT", f"{NS}/hybridConnections/db", {})
        kept = len(self.store.saved)
        self.good("PUT", f"{NS}/hybridConnections/db", {})
        self.assertEqual(len(self.store.saved), kept)
