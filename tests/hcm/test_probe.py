"""What a managed listener answers to probes, from sender to target in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from hybridconn.core.probe import (
    PORT_HEADER,
    TLS_NAME_HEADER,
    Failed,
    ListenerIs,
    Message,
    Reached,
    TargetIs,
    WantedPort,
)
from hybridconn.diagnosis.check import Result
from hybridconn.diagnosis.far import listener_checks
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.probe import AT_ONCE, DECIDE, PER_MINUTE, PER_SENDER
from hybridconn.listener.reject import Reject
from hybridconn.operation.version import own_version
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.probe import Probed, Prober
from tests.hcm.case import HcmTestCase


class ProbeTests(HcmTestCase):
    """One listener, whose target is db.corp:5."""

    def setUp(self) -> None:
        super().setUp()
        self.write("conf.d/meta.toml", self.table("meta"))
        self.write("conf.d/one.toml", self.table("one", target="db.corp:6"))
        self.steward.reload()
        self.network.flush()

    def probe(
        self,
        path: str = "meta",
        timeout: float = 10.0,
        connector: TunnelConnector | None = None,
        **headers: str,
    ) -> Deferred[Probed]:
        connector = connector or self.relay.connector(path)
        prober = Prober(connector, headers, "", timeout)
        return Deferred.fromCoroutine(prober.probe())

    def told(
        self,
        path: str = "meta",
        timeout: float = 10.0,
        connector: TunnelConnector | None = None,
        **headers: str,
    ) -> Probed:
        probing = self.probe(path, timeout, connector, **headers)
        self.network.flush()
        if not probing.called:
            self.network.advance(timeout + 2)
        return self.successResultOf(probing)

    def test_well(self) -> None:
        """It says who it is, what its target is, and that it is there; no more."""
        probed = self.told()
        listener, target, reached = probed.told
        assert isinstance(listener, ListenerIs)
        self.assertEqual(listener.version, own_version())
        served = self.manager.find("meta").listener
        assert served is not None
        self.assertEqual(listener.id, served.channel.tracking_id)
        assert isinstance(target, TargetIs)
        self.assertEqual(target.target, "db.corp:5")
        self.assertIsInstance(reached, Reached)
        self.assertEqual(probed.broken, "")

    def test_target_left(self) -> None:
        """The connection to the target is closed at once, with no byte sent."""
        self.told()
        open_there = [one for one in self.network.connections if one.port == 5]
        self.assertEqual(open_there, [])

    def test_no_tunnel(self) -> None:
        """A probe is no tunnel: it is not counted as one."""
        self.told()
        self.assertEqual(self.view("meta")["tunnels"]["total"], 0)

    def test_dead(self) -> None:
        """A target that refuses is told with the step, not by a rejection."""
        probed = self.told("one")
        self.assertIsNone(probed.refused)
        failed = probed.told[-1]
        assert isinstance(failed, Failed)
        self.assertEqual((failed.step, failed.status), ("found", 502))
        self.assertIn("refused the connection", failed.reason)

    def test_no_name(self) -> None:
        """A name for TLS that is none is refused, and the target left alone."""
        failed = self.told("meta", 10.0, None, **{TLS_NAME_HEADER: "no name/"}).told[-1]
        assert isinstance(failed, Failed)
        self.assertEqual(failed.status, 400)

    def test_at_once(self) -> None:
        """More than a few at a time are refused."""
        self.network.faults.delay = 0.5
        probing = [self.probe() for _ in range(AT_ONCE + 2)]
        self.network.advance(1)
        self.network.advance(20)
        probed = [self.successResultOf(one) for one in probing]
        refused = [one.refused for one in probed if one.refused is not None]
        self.assertEqual([one.status_code for one in refused], [429, 429])
        self.network.faults.delay = 0.0
        self.assertIsNone(self.told().refused)

    def test_in_a_minute(self) -> None:
        """
        So are more than so many in a minute, of one sender and of all; in the next
        one it answers again.
        """
        self.clock.advance(60 - self.clock.seconds() % 60)
        for source in ("198.18.0.1", "198.18.0.2"):
            connector = self.relay.connector("meta", source)
            for left in range(PER_SENDER, -1, -1):
                refused = self.told(connector=connector).refused
                self.assertEqual(refused is None, left > 0)
            assert refused is not None
            self.assertEqual(refused.status_code, 429)
        self.assertEqual(PER_MINUTE, 2 * PER_SENDER)
        self.assertIsNotNone(self.told().refused)
        self.network.advance(60)
        self.assertIsNone(self.told().refused)

    def test_gone(self) -> None:
        """A sender that does not wait for the end takes no place from the next."""
        listener = self.manager.find("meta").listener
        assert listener is not None and listener._probes is not None
        prober = listener._probes
        never: Any = lambda *_: Deferred()  # noqa: E731
        self.patch(prober._prober, "look", never)
        for _ in range(AT_ONCE):
            probed = self.told(timeout=1.0)
            self.assertEqual((probed.refused, probed.awaited), (None, "found"))
        self.assertIsNone(self.told(timeout=1.0).refused)

    def test_refusals_take_no_place(self) -> None:
        """Those that are being told no take no place of those that are answered."""
        listener = self.manager.find("meta").listener
        assert listener is not None and listener._probes is not None

        async def never(*_: object) -> None:
            await Deferred()

        self.patch(listener._probes, "_refuse", never)
        self.patch(listener._probes, "_admit", lambda _: fail(Reject(403, "no")))
        for _ in range(AT_ONCE + 1):
            self.probe()
        self.network.flush()
        self.patch(listener._probes, "_admit", lambda _: None)
        self.assertIsNone(self.told().refused)

    def test_fails(self) -> None:
        """A mistake of the listener's own is no end in order, and is logged."""
        listener = self.manager.find("meta").listener
        assert listener is not None and listener._probes is not None
        wrong: Any = lambda *_: fail(KeyError("x"))  # noqa: E731
        self.patch(listener._probes._prober, "look", wrong)
        self.assertIn("1011 The listener failed", self.told().broken)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.patch(listener._probes, "_admit", wrong)
        refused = self.told().refused
        assert refused is not None
        self.assertEqual(
            (refused.status_code, refused.reason), (502, "The listener failed")
        )
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_undecided(self) -> None:
        """A decision that does not come takes no place for ever."""
        listener = self.manager.find("meta").listener
        assert listener is not None and listener._probes is not None
        never: Any = lambda *_: Deferred()  # noqa: E731
        self.patch(listener._probes, "_admit", never)
        for _ in range(AT_ONCE):
            self.probe()
        self.network.advance(DECIDE + 5)
        self.patch(listener._probes, "_admit", lambda accept: None)
        self.assertIsNone(self.told().refused)

    def test_stopped(self) -> None:
        """A listener that is stopped leaves nothing behind."""
        self.network.faults.delay = 0.5
        self.probe().addErrback(lambda _: None)
        self.network.advance(0.6)
        self.network.faults.delay = 0.0
        self.manager.stopService()
        self.network.advance(20)
        self.assertEqual([one for one in self.network.connections if one.port == 5], [])

    def test_interface(self) -> None:
        """What reaches targets for a manager can be asked by probes."""
        listener = self.manager.find("meta").listener
        assert listener is not None
        connector = listener.make_connector("x", self.clock, 1.0)
        self.assertTrue(ITargetProber.providedBy(connector))


class ForbiddenTests(HcmTestCase):
    """A listener that may reach but one target."""

    top = 'allow_targets = ["other.corp:1"]\n'

    def test_forbidden(self) -> None:
        """The step is the target's choice, and nothing was dialled."""
        self.write("conf.d/meta.toml", self.table("meta"))
        self.steward.reload()
        self.network.flush()
        prober = Prober(self.relay.connector("meta"), {}, "", 10.0)
        probing = Deferred.fromCoroutine(prober.probe())
        self.network.flush()
        failed = self.successResultOf(probing).told[-1]
        assert isinstance(failed, Failed)
        self.assertEqual((failed.step, failed.status), ("target", 403))


class SilentTests(HcmTestCase):
    """A listener that is told to answer no probes, and one whose target is down."""

    def told(self, **settings: object) -> Probed:
        self.write("conf.d/one.toml", self.table("one", **settings))
        self.steward.reload()
        self.network.flush()
        self.network.advance(6)
        prober = Prober(self.relay.connector("one"), {}, "", 10.0)
        probing = Deferred.fromCoroutine(prober.probe())
        self.network.flush()
        return self.successResultOf(probing)

    def test_silent(self) -> None:
        """It is as one of another make."""
        probed = self.told(target="db.corp:5", answer_probes=False)
        self.assertEqual((probed.knows, probed.refused), (False, None))

    def test_known_to_be_down(self) -> None:
        """A probe looks anew where senders are told at once that the target is down."""
        checked = {"target": "db.corp:6", "target_check_interval": 5.0}
        probed = self.told(**checked)
        self.assertIsNone(probed.refused)
        self.assertIsInstance(probed.told[-1], Failed)
        silent = self.told(answer_probes=False, **checked)
        self.assertIsNotNone(silent.refused)


class PortTests(HcmTestCase):
    """A listener of named ports, and one without, as senders of both modes see them."""

    def setUp(self) -> None:
        super().setUp()
        ports = [
            "dead=db.corp:6",
            "sql=db.corp:5",
            "dns=udp:192.0.2.53:53",
            "ü=db.corp:5",
        ]
        self.write("conf.d/one.toml", self.table("one", mode="bridge", ports=ports))
        self.write("conf.d/meta.toml", self.table("meta"))
        self.steward.reload()
        self.network.flush()

    def told(self, port: WantedPort | None, path: str = "one") -> list[Message]:
        headers = {} if port is None else {PORT_HEADER: str(port)}
        prober = Prober(self.relay.connector(path), headers, "", 10.0)
        probing = Deferred.fromCoroutine(prober.probe())
        self.network.flush()
        probed = self.successResultOf(probing)
        self.assertEqual(probed.broken, "")
        return list(probed.told[1:])

    def test_asked_for(self) -> None:
        """It is the port's target that is looked at, as an app would have it."""
        for name in ("sql", "ü"):
            target, reached = self.told(WantedPort(name))
            assert isinstance(target, TargetIs)
            self.assertEqual(target.target, "db.corp:5")
            self.assertIsInstance(reached, Reached)
        self.assertIsInstance(self.told(WantedPort("dead"))[-1], Failed)

    def test_not_said(self) -> None:
        """A sender that does not say what it does sees the first TCP port."""
        target, failed = self.told(None)
        assert isinstance(target, TargetIs)
        self.assertEqual(target.target, "db.corp:6")
        self.assertIsInstance(failed, Failed)

    def test_datagrams(self) -> None:
        """Of a UDP port no more is seen than where it is, and that is no failure."""
        (target,) = told = self.told(WantedPort("dns", True))
        assert isinstance(target, TargetIs)
        self.assertEqual(target.target, "udp:192.0.2.53:53")
        probed = Probed("x", 0.1, knows=True, told=tuple(told))
        self.assertEqual(listener_checks("one", probed, 0.0)[-1].result, Result.SKIP)

    def test_differ(self) -> None:
        """What an app would fail with is told, and what to mend."""
        for port, path, said, mend in (
            (WantedPort(), "one", 'mode = "bridge"', "mend mode"),
            (WantedPort("sql"), "meta", 'mode = "raw"', "mend mode"),
            (WantedPort("web"), "one", "there is no port 'web'", "port_name"),
            (WantedPort("dns"), "one", "is for UDP", "protocol"),
            (WantedPort("sql", True), "one", "is for TCP", "protocol"),
        ):
            (failed,) = told = self.told(port, path)
            assert isinstance(failed, Failed)
            self.assertEqual(failed.step, "target")
            self.assertIn(said, failed.reason)
            probed = Probed("x", 0.1, knows=True, told=tuple(told))
            self.assertIn(mend, listener_checks("one", probed, 0.0)[-1].mend)
