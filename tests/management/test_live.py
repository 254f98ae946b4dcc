"""What goes on at the relay, tokens for it, and from where it may be reached."""

from __future__ import annotations

from typing import Any

from hybridconn.core.access import EVERYWHERE, Access
from hybridconn.core.entities import Claim, Namespace
from hybridconn.core.live import Counts, LiveListener, LiveTunnel
from hybridconn.core.refusals import TokenExpired
from hybridconn.core.sas import SasAuthorizer
from tests.management.case import BASE, ENDPOINT, NS, SUB, ApiCase

HC = f"{NS}/hybridConnections/plant%2Fdb"
KEY = ("contoso-relay", "plant/db")
PROVIDER = f"/subscriptions/{SUB}/providers/Microsoft.Relay"


def tunnel(id: str, **more: Any) -> LiveTunnel:
    """A tunnel with peers and bytes."""
    values: dict[str, Any] = {
        "id": id,
        "http": False,
        "since": 1_900_000_000.0,
        "sender": "192.0.2.9:50000",
        "listener": "L1",
        "listener_address": "198.51.100.4:40000",
        "tracking": "5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11_G0",
        "rule": "defaultSender",
        "sender_bytes": 5,
        "listener_bytes": 7,
    }
    return LiveTunnel(**values | more)


class LiveCase(ApiCase):
    """A namespace with one hybrid connection."""

    def setUp(self) -> None:
        super().setUp()
        self.namespace()
        self.good("PUT", HC, {"properties": {"userMetadata": ENDPOINT}})


class StatusTests(LiveCase):
    """How much goes on."""

    def test_connection(self) -> None:
        """All the counts of a hybrid connection; zeros where nothing goes on."""
        self.live.at[KEY] = Counts(2, 3, 4, 5, 600, 700, 8, 9, 1000, 1100, 1)
        shown = {
            "id": f"{HC}/status",
            "name": "plant/db",
            "type": "Microsoft.Relay/Status",
            "properties": {
                "listeners": 2,
                "drainingListeners": 1,
                "tunnels": 3,
                "httpRequests": 4,
                "waitingSenders": 5,
                "bytesFromSenders": 600,
                "bytesFromListeners": 700,
                "ended": {
                    "tunnels": 8,
                    "httpRequests": 9,
                    "bytesFromSenders": 1000,
                    "bytesFromListeners": 1100,
                },
            },
        }
        self.assertEqual(self.good("GET", f"{HC}/status", role="reader"), shown)
        self.good("PUT", f"{NS}/hybridConnections/idle")
        rows = self.good("GET", f"{NS}/status/hybridConnections")["value"]
        self.assertEqual([one["name"] for one in rows], ["idle", "plant/db"])
        self.assertEqual(rows[0]["properties"]["listeners"], 0)
        self.assertEqual(rows[1], shown)

    def test_sums(self) -> None:
        """By namespace and in all; what is in no namespace of ours is left out."""
        self.good("PUT", f"{BASE}/namespaces/other-relay", {"location": "x"})
        self.live.at[KEY] = Counts(listeners=2, sender_bytes=10)
        self.live.at["contoso-relay", "b"] = Counts(listeners=1, sender_bytes=20)
        self.live.at["stranger", "b"] = Counts(listeners=100)
        rows = self.good("GET", f"{PROVIDER}/status/namespaces")["value"]
        found = [(one["name"], one["properties"]["listeners"]) for one in rows]
        self.assertEqual(found, [("contoso-relay", 3), ("other-relay", 0)])
        self.assertEqual(
            self.good("GET", f"{NS}/status")["properties"]["bytesFromSenders"], 30
        )
        relay = self.good("GET", f"{PROVIDER}/status")["properties"]
        self.assertEqual(
            (relay["listeners"], relay["namespaces"], relay["hybridConnections"]),
            (3, 2, 1),
        )
        self.assertEqual(relay["runningSince"], "2027-01-15T08:00:00.000Z")

    def test_pages(self) -> None:
        """Lists of many come in pages."""
        for number in range(150):
            self.good("PUT", f"{NS}/hybridConnections/hc{number:03}")
        page = self.good("GET", f"{NS}/status/hybridConnections")
        self.assertEqual(len(page["value"]), 100)
        self.assertIn("skiptoken", page["nextLink"])

    def test_not_there(self) -> None:
        """404 for what is not managed here."""
        for path in (
            f"{NS}x/status",
            f"{NS}x/status/hybridConnections",
            f"{NS}/hybridConnections/nothing/status",
            f"{NS}/hybridConnections/nothing/listeners",
            f"{NS}/hybridConnections/nothing/tunnels",
        ):
            self.refused(404, "ParentResourceNotFound", "GET", path)


class ListenerTests(LiveCase):
    """Who listens."""

    def setUp(self) -> None:
        super().setUp()
        self.live.who[KEY] = [
            LiveListener(
                *("L9", "198.51.100.4:40000", 1_900_000_000.0, 2, "t", "me"),
                *("defaultListener", 1_900_003_600.0, False, "agent/1"),
            ),
            LiveListener("L10", "198.51.100.5:40000", 1_900_000_001.0),
        ]

    def test_shown(self) -> None:
        """One by one and as a list, in the order in which they came."""
        shown = {
            "id": f"{HC}/listeners/L9",
            "name": "L9",
            "type": "Microsoft.Relay/Namespaces/HybridConnections/Listeners",
            "properties": {
                "address": "198.51.100.4:40000",
                "connectedAt": "2030-03-17T17:46:40.000Z",
                "connections": 2,
                "trackingId": "t",
                "listenerId": "me",
                "rule": "defaultListener",
                "draining": False,
                "userAgent": "agent/1",
                "tokenExpiresAt": "2030-03-17T18:46:40.000Z",
            },
        }
        self.assertEqual(self.good("GET", f"{HC}/listeners/L9", role="reader"), shown)
        rows = self.good("GET", f"{HC}/listeners", role="reader")["value"]
        self.assertEqual([one["name"] for one in rows], ["L9", "L10"])
        self.assertEqual(rows[0], shown)
        self.assertNotIn("tokenExpiresAt", rows[1]["properties"])

    def test_closed(self) -> None:
        """An admin ends one; nobody else, and none that is not there."""
        self.assertEqual(self.call("DELETE", f"{HC}/listeners/L9"), (200, None))
        self.assertEqual(self.live.closed, ["L9"])
        self.refused(404, "ResourceNotFound", "DELETE", f"{HC}/listeners/L8")
        status, value = self.call("DELETE", f"{HC}/listeners/L10", role="reader")
        self.assertEqual((status, value["error"]["code"]), (403, "AuthorizationFailed"))
        self.assertEqual(self.live.closed, ["L9"])
        self.refused(404, "ResourceNotFound", "GET", f"{HC}/listeners/L8")
        self.assertEqual(self.store.saved[-1].puts[0].kind, "connection")

    def test_drained(self) -> None:
        """An admin drains one and ends that; its state is the answer."""
        place = f"{HC}/listeners/L9"
        for action, on in (("drain", True), ("undrain", False)):
            shown = self.good("POST", f"{place}/{action}")
            self.assertEqual(
                (shown["name"], shown["properties"]["draining"]), ("L9", on)
            )
            self.refused(404, "ResourceNotFound", "POST", f"{HC}/listeners/L8/{action}")
            status, value = self.call("POST", f"{place}/{action}", role="reader")
            self.assertEqual(
                (status, value["error"]["code"]), (403, "AuthorizationFailed")
            )
        self.assertEqual(self.live.drained, [("L9", True), ("L9", False)])


class TunnelTests(LiveCase):
    """Tunnels and HTTP requests."""

    def test_shown(self) -> None:
        """Peers, rule and bytes of each; T10 stands behind T9."""
        guid = "5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11"
        self.live.open[KEY] = [
            tunnel(guid, http=True, listener_address=""),
            tunnel("T10"),
            tunnel("T9"),
        ]
        rows = self.good("GET", f"{HC}/tunnels", role="reader")["value"]
        self.assertEqual([one["name"] for one in rows], ["T9", "T10", guid])
        self.assertEqual(rows[2]["properties"]["kind"], "HttpRequest")
        self.assertEqual(
            self.good("GET", f"{HC}/tunnels/T9"),
            {
                "id": f"{HC}/tunnels/T9",
                "name": "T9",
                "type": "Microsoft.Relay/Namespaces/HybridConnections/Tunnels",
                "properties": {
                    "kind": "Tunnel",
                    "startedAt": "2030-03-17T17:46:40.000Z",
                    "sender": "192.0.2.9:50000",
                    "listener": "L1",
                    "listenerAddress": "198.51.100.4:40000",
                    "trackingId": "5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11_G0",
                    "rule": "defaultSender",
                    "bytesFromSender": 5,
                    "bytesFromListener": 7,
                },
            },
        )

    def test_pages(self) -> None:
        """Each once, in pages; what ends or comes meanwhile changes nothing."""
        self.live.open[KEY] = [tunnel(f"T{number}") for number in range(1, 251)]
        seen: list[str] = []
        query = "?api-version=2021-11-01"
        while query:
            page = self.good("GET", f"{HC}/tunnels", query=query)
            seen += [one["name"] for one in page["value"]]
            del self.live.open[KEY][0]
            self.live.open[KEY].append(tunnel(f"T{9000 + len(seen)}"))
            link = page.get("nextLink", "")
            query = "?" + link.partition("?")[2] if link and len(seen) < 250 else ""
        self.assertEqual(seen[:250], [f"T{number}" for number in range(1, 251)])

    def test_closed(self) -> None:
        """An admin ends one."""
        self.live.open[KEY] = [tunnel("T9")]
        status, _ = self.call("DELETE", f"{HC}/tunnels/T9", role="reader")
        self.assertEqual((status, self.live.closed), (403, []))
        self.assertEqual(self.call("DELETE", f"{HC}/tunnels/T9"), (200, None))
        self.assertEqual(self.live.closed, ["T9"])
        self.refused(404, "ResourceNotFound", "DELETE", f"{HC}/tunnels/T8")
        self.refused(404, "ResourceNotFound", "GET", f"{HC}/tunnels/T8")


class TokenTests(LiveCase):
    """createToken."""

    def opens(self, made: Any, claim: Claim) -> str:
        """The rule by which a token opens the hybrid connection."""
        (namespace,) = self.book.entities.namespaces()
        match = namespace.find(["plant", "db"])
        assert match is not None
        return (
            SasAuthorizer()
            .authorize(
                made["token"],
                claim,
                namespace,
                match.entity,
                "contoso-relay.relay.test",
                ("plant", "db"),
                self.now,
            )
            .rule_name
        )

    def test_role(self) -> None:
        """The nearest rule that gives no more than it must."""
        for role, rule in (
            ("Listen", "defaultListener"),
            ("send", "defaultSender"),
            ("Manage", "RootManageSharedAccessKey"),
        ):
            made = self.good("POST", f"{HC}/createToken", {"role": role})
            self.assertEqual(made["rule"], rule)
            self.assertEqual(self.opens(made, Claim(role.capitalize())), rule)
            self.assertEqual(made["expiresAt"], "2030-03-17T18:46:40.000Z")

    def test_rule(self) -> None:
        """A rule by its name, for a life time of choice; then it is over."""
        body = {"rule": "DEFAULTSENDER", "lifetime": "60"}
        made = self.good("POST", f"{HC}/createToken", body)
        self.assertEqual(self.opens(made, Claim.SEND), "defaultSender")
        self.assertEqual(made["audience"], "http://contoso-relay.relay.test/plant/db")
        self.now += 60
        self.assertRaises(TokenExpired, self.opens, made, Claim.SEND)

    def test_namespace(self) -> None:
        """For all of a namespace, with its own rules only."""
        made = self.good("POST", f"{NS}/createToken", {"role": "Listen"})
        self.assertEqual(self.opens(made, Claim.LISTEN), "RootManageSharedAccessKey")
        body = {"rule": "defaultSender"}
        self.refused(404, "ResourceNotFound", "POST", f"{NS}/createToken", body)

    def test_refused(self) -> None:
        """What is missing or does not go together is said; a reader gets none."""
        where = f"{HC}/createToken"
        for status, body in (
            (400, {}),
            (400, {"role": "Read"}),
            (400, {"role": "Listen", "rule": "defaultSender"}),
            (400, {"role": "Listen", "lifetime": 0}),
            (400, {"role": "Listen", "lifetime": "3000000000"}),
            (404, {"rule": "nothing"}),
        ):
            code = "BadRequest" if status == 400 else "ResourceNotFound"
            self.refused(status, code, "POST", where, body)
        self.good("DELETE", f"{NS}/authorizationRules/RootManageSharedAccessKey")
        self.refused(404, "ResourceNotFound", "POST", where, {"role": "Manage"})
        self.assertEqual(
            self.call("POST", where, {"role": "Send"}, role="reader")[0], 403
        )


class AccessTests(LiveCase):
    """What can be stored is enforced by the data plane."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[tuple[str, str]] = []
        self.book.entities.watch(lambda *what: self.told.append(what))

    @property
    def seen(self) -> Namespace:
        """The namespace as the data plane has it."""
        (namespace,) = self.book.entities.namespaces()
        return namespace

    @property
    def enabled(self) -> list[bool]:
        """Whether its hybrid connections are."""
        return [one.enabled for one in self.seen.hybrid_connections]

    def test_network_rules(self) -> None:
        """Deny with networks: told to the data plane, shown, and taken back."""
        rules = f"{NS}/networkRuleSets/default"
        self.assertEqual(self.seen.access, EVERYWHERE)
        wanted = {
            "defaultAction": "Deny",
            "publicNetworkAccess": "Enabled",
            "trustedServiceAccessEnabled": False,
            "ipRules": [
                {"ipMask": "10.0.0.0/8", "action": "Allow"},
                {"ipMask": "192.0.2.7", "action": "Allow"},
            ],
        }
        made = self.good("PUT", rules, {"properties": wanted})
        self.assertEqual(made["properties"], wanted)
        self.assertEqual(self.good("GET", rules)["properties"], wanted)
        self.assertEqual(self.seen.access, Access(("10.0.0.0/8", "192.0.2.7")))
        self.assertEqual(self.told, [("contoso-relay", "")])
        self.good("PUT", NS, {"location": "westeurope"})
        self.assertEqual(self.good("GET", rules)["properties"], wanted)
        made = self.good("PUT", rules, {"properties": {"ipRules": wanted["ipRules"]}})
        self.assertEqual(made["properties"]["defaultAction"], "Allow")
        self.assertEqual(self.seen.access, EVERYWHERE)

    def test_wrong_network_rules(self) -> None:
        """Each mistake is named with its place; nothing is kept."""
        rules = f"{NS}/networkRuleSets/default"
        kept = len(self.store.saved)
        for properties, code, words in (
            ({"defaultAction": "Maybe"}, "BadRequest", "defaultAction"),
            ({"ipRules": "10.0.0.0/8"}, "BadRequest", "list of objects"),
            ({"ipRules": [{}]}, "BadRequest", "ipRules[0].ipMask"),
            ({"ipRules": [{"ipMask": "x"}]}, "BadRequest", "10.0.0.0/8"),
            ({"ipRules": [{"ipMask": "10.1.0.0/8"}]}, "BadRequest", "as 10.0.0.0/8"),
            (
                {"ipRules": [{"ipMask": "10.0.0.0/8", "action": "Deny"}]},
                *("BadRequest", "ipRules[0].action"),
            ),
            ({"trustedServiceAccessEnabled": True}, "NotSupported", "no services"),
            (
                {"publicNetworkAccess": "SecuredByPerimeter"},
                *("NotSupported", "no perimeters"),
            ),
        ):
            body: Any = {"properties": properties}
            self.assertIn(words, self.refused(400, code, "PUT", rules, body))
        many = [{"ipMask": f"10.0.{number}.0/24"} for number in range(129)]
        body = {"properties": {"ipRules": many}}
        self.refused(403, "QuotaExceeded", "PUT", rules, body)
        self.assertEqual(len(self.store.saved), kept)
        status, _ = self.call("PUT", rules, {}, role="reader")
        self.assertEqual(status, 403)

    def test_own_rules(self) -> None:
        """A rule of the namespace reaches the data plane; nothing else is touched."""
        before = self.seen.hybrid_connections
        place = f"{NS}/authorizationRules/mine"
        self.good("PUT", place, {"properties": {"rights": ["Send"]}})
        self.assertEqual(
            {rule.name for rule in self.seen.rules},
            {"RootManageSharedAccessKey", "mine"},
        )
        self.assertEqual(self.told, [("contoso-relay", "")])
        for kept, now in zip(before, self.seen.hybrid_connections, strict=True):
            self.assertIs(kept, now)
        self.good("DELETE", place)
        self.assertEqual(len(self.seen.rules), 1)

    def test_tls(self) -> None:
        """The least TLS is the data plane's business at once."""
        self.good("PATCH", NS, {"properties": {"minimumTlsVersion": "1.3"}})
        self.assertFalse(self.seen.access.accepts_tls("TLSv1.2"))

    def test_namespace_disabled(self) -> None:
        """So are its hybrid connections, those to come too, until it is enabled."""
        disabled = {"properties": {"publicNetworkAccess": "Disabled"}}
        self.good("PATCH", NS, disabled)
        self.assertEqual(self.told, [("contoso-relay", "plant/db")])
        self.good("PUT", HC, {"properties": {"userMetadata": ENDPOINT}})
        self.good("PUT", f"{NS}/hybridConnections/new", {})
        self.assertEqual(self.enabled, [False, False])
        self.good("PATCH", NS, {"properties": {"publicNetworkAccess": "Enabled"}})
        self.assertEqual(self.enabled, [True, True])
        body = {"properties": {"publicNetworkAccess": "SecuredByPerimeter"}}
        self.refused(400, "NotSupported", "PATCH", NS, body)

    def test_connection_disabled(self) -> None:
        """The same for one; a client that knows no status does not enable it."""
        disabled = {"properties": {"userMetadata": ENDPOINT, "status": "Disabled"}}
        made = self.good("PUT", HC, disabled)
        self.assertEqual(made["properties"]["status"], "Disabled")
        self.assertEqual(self.told, [("contoso-relay", "plant/db")])
        self.assertEqual(self.enabled, [False])
        made = self.good("PUT", HC, {"properties": {"userMetadata": ENDPOINT}})
        self.assertEqual(made["properties"]["status"], "Disabled")
        self.good(
            "PUT", f"{HC}/authorizationRules/x", {"properties": {"rights": ["Send"]}}
        )
        self.assertEqual(self.enabled, [False])
        self.good("PUT", HC, {"properties": {"status": "Active"}})
        self.assertEqual(self.enabled, [True])
        match = self.seen.find(["plant", "db"])
        assert match is not None
        self.assertEqual(len(match.entity.rules), 3)
        body = {"properties": {"status": "Asleep"}}
        self.refused(400, "BadRequest", "PUT", HC, body)
