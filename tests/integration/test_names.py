"""
Apps reach services in another network by their own names and ports, with no line of
theirs changed.
"""

from __future__ import annotations

import re
import shlex
import sys
from functools import cache
from pathlib import Path

from hybridconn.config.addresses import HostPort
from hybridconn.redirect.listening import listening
from tests.integration.case import IntegrationTestCase, need, share
from tests.integration.names_stage import DNS, NamesStage
from tests.integration.programs import Program, command

ROOT = Path(__file__).resolve().parents[2]
#: Where systemd-resolved is, and where tools/programs.sh puts it: its package would
#: change the machine's own resolv.conf.
RESOLVED = ("/lib/systemd", str(ROOT / "build/resolved/lib/systemd"))
ADDRESS = r"127\.77\.\d+\.\d+"


@cache
def stage() -> NamesStage:
    """The hosts of all these tests."""
    made = NamesStage()
    share(made)
    return made


class NamesTestCase(IntegrationTestCase):
    """
    @ivar app: the app's host.
    @ivar config: of its sender.
    """

    def setUp(self) -> None:
        super().setUp()
        self.stage = stage()
        self.use(self.stage)
        self.app = self.stage.hosts.app
        self.config = str(self.stage.folder / "sender.toml")

    def run_sender(self) -> Program:
        sender = self.stage.started(self.stage.sender)
        self.addCleanup(sender.stop)
        return sender

    def must(self, *arguments: str, status: int = 0) -> str:
        """Run C{hybridconn} on the app's host."""
        got, said = self.stage.command(*arguments)
        self.assertEqual(got, status, said)
        self.assertNotIn("Traceback", said)
        return said

    def install(self, way: str) -> str:
        self.addCleanup(self.stage.command, "redirect", "undo")
        return self.must("redirect", "install", "-c", self.config, "--way", way)

    def name_server(self, address: str, delay: float = 0.0) -> Program:
        """A name server on the app's host, in the place of the network's own."""
        argv = [sys.executable, "-m", "tests.integration.nameserver"]
        name = f"dns-{address}"
        program = self.stage.program(
            name, [*self.app.inside, *argv, address, str(delay)], ours=False
        )
        program.start()
        self.wait_listening(address)
        self.addCleanup(program.discard)
        return program

    def wait_listening(self, address: str) -> None:
        place, proc = HostPort(address, 53), Path(f"/proc/{self.app.pid}")
        self.wait_until(f"port 53 of {address}", lambda: place in listening(proc))

    def resolvers(self, *addresses: str) -> None:
        """Have the host ask these name servers."""
        path = self.app.path("/etc/resolv.conf")
        before = path.read_bytes()
        self.addCleanup(path.write_bytes, before)
        text = "".join(f"nameserver {address}\n" for address in addresses)
        path.write_text(text + "options timeout:1\n")

    def dig(self, *arguments: str, server: str = DNS) -> str:
        return self.app.must("dig", f"@{server}", "+tries=1", "+time=8", *arguments)

    def assertServed(self, *prefix: str) -> None:
        """Every client reaches its service by name and port."""
        app, ca = self.app, str(self.stage.ca_file)
        psql = ["psql", "-h", "db.corp", "-U", "tester", "-Atc"]
        said = app.must(*prefix, *psql, "select 6 * 7", "postgres")
        self.assertEqual(said, "42\n")
        said = app.must(*prefix, "redis-cli", "-h", "cache.corp", "ping")
        self.assertEqual(said, "PONG\n")
        said = app.must(*prefix, "curl", "-sS", "--cacert", ca, "https://web.corp/")
        self.assertEqual(said, "web web.corp")
        options = self.stage.sshd.options
        said = app.must(*prefix, "ssh", *options, "root@server.corp", "echo", "shell")
        self.assertEqual(said, "shell\n")

    def assertWildcards(self) -> None:
        ca = str(self.stage.ca_file)
        for name in ("one.apps.corp", "two.apps.corp"):
            said = self.app.must("curl", "-sS", "--cacert", ca, f"https://{name}/")
            self.assertEqual(said, f"web {name}")


class WayTests(NamesTestCase):
    """Each way to have names found."""

    def test_no_other_way(self) -> None:
        """Without any of it the app reaches nothing: neither names nor addresses."""
        self.assertNotEqual(self.app.run("redis-cli", "-h", "cache.corp", "ping")[0], 0)
        where = ("curl", "-sS", "-m", "3", "http://10.90.2.2:6379/")
        self.assertNotEqual(self.app.run(*where)[0], 0)

    def test_hosts(self) -> None:
        """A block in the hosts file serves every client, and goes without a trace."""
        self.run_sender()
        before = self.app.must(
            "sh", "-c", "stat -c '%a %u %g' /etc/hosts; cat /etc/hosts"
        )
        said = self.install("hosts")
        self.assertRegex(said, rf"db.corp:5432 is {ADDRESS}:5432 on this machine")
        self.assertIn("a hosts file has no wildcards", said)
        self.assertServed()
        said = self.must("redirect", "status", "-c", self.config, status=1)
        self.assertIn("hosts: in force in /etc/hosts", said)
        self.assertRegex(said, r"db.corp is found as \S+; the sender listens")
        self.assertRegex(said, "a wildcard needs --way resolv")
        self.assertIn(
            "hosts: /etc/hosts: as it was before", self.must("redirect", "undo")
        )
        after = self.app.must(
            "sh", "-c", "stat -c '%a %u %g' /etc/hosts; cat /etc/hosts"
        )
        self.assertEqual(after, before)

    def test_resolv(self) -> None:
        """resolv.conf serves every client and wildcards; other names are as before."""
        self.name_server("127.1.1.1")
        self.resolvers("127.1.1.1")
        before = self.app.must("cat", "/etc/resolv.conf")
        self.run_sender()
        self.install("resolv")
        self.assertIn(f"nameserver {DNS}", self.app.must("cat", "/etc/resolv.conf"))
        self.assertServed()
        self.assertWildcards()
        said = self.app.must("getent", "ahostsv4", "other.test")
        self.assertIn("192.0.2.1 ", said)
        said = self.must("redirect", "status", "-c", self.config)
        self.assertIn("resolv: in force in /etc/resolv.conf", said)
        self.must("redirect", "undo")
        self.assertEqual(self.app.must("cat", "/etc/resolv.conf"), before)

    def test_resolved(self) -> None:
        """systemd-resolved asks us for our names, and its own servers for others."""
        found = [one for one in RESOLVED if Path(one, "systemd-resolved").exists()]
        need(found, "no systemd-resolved here")
        self.name_server("127.1.1.1")
        self.resolvers("127.0.0.53")
        etc = self.app.path("/etc")
        with (etc / "passwd").open("a") as opened:
            opened.write("systemd-resolve:x:990:990::/:/usr/sbin/nologin\n")
        with (etc / "group").open("a") as opened:
            opened.write("systemd-resolve:x:990:\n")
        (etc / "systemd/resolved.conf").write_text(
            "[Resolve]\nDNS=127.1.1.1\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n"
        )
        self.app.must("sh", "-c", "mkdir -p /run/systemd")
        self.run_sender()
        said = self.install("resolved")
        self.assertRegex(said, "warning: .*systemctl try-restart systemd-resolved")
        resolved = self.stage.program(
            "resolved", [*self.app.inside, f"{found[0]}/systemd-resolved"], ours=False
        ).start()
        self.addCleanup(resolved.discard)
        self.wait_listening("127.0.0.53")
        self.wait_until(
            "systemd-resolved",
            lambda: "127.77." in self.dig("db.corp", server="127.0.0.53"),
        )
        self.assertServed()
        self.assertWildcards()
        said = self.dig("+short", "other.test", server="127.0.0.53")
        self.assertEqual(said, "192.0.2.1\n")
        self.must("redirect", "undo")
        self.assertFalse((etc / "systemd/resolved.conf.d").exists())

    def test_killed(self) -> None:
        """A sender that was killed leaves names in force, and works when it is back."""
        sender = self.run_sender()
        self.install("hosts")
        sender.kill()
        self.assertNotEqual(self.app.run("redis-cli", "-h", "cache.corp", "ping")[0], 0)
        said = self.must("redirect", "status", "-c", self.config, status=1)
        self.assertRegex(said, "nobody listens at [^;]+; start twistd hcsender")
        self.stage.started(sender)
        self.assertServed()


class ExecTests(NamesTestCase):
    """One command for which names are redirected."""

    def prefix(self) -> list[str]:
        return [*command("exec", "-c", self.config, "--")]

    def test_root(self) -> None:
        """It brings its sender along, and leaves nothing behind."""
        before = self.app.must("cat", "/etc/hosts")
        said = self.app.must(*self.prefix(), "cat", "/etc/hosts")
        self.assertRegex(said, rf"{ADDRESS}\tdb\.corp\n")
        self.assertServed(*self.prefix())
        self.assertEqual(self.app.must("cat", "/etc/hosts"), before)
        self.assertNotIn("5432", self.app.must("ss", "-Hltn"))

    def socket(self, path: str) -> None:
        """Have a socket there, as of a daemon, in a folder of its own."""
        script = (
            "import os, socket, sys; path = sys.argv[1]; "
            "os.makedirs(os.path.dirname(path), exist_ok=True); "
            "os.path.exists(path) or socket.socket(socket.AF_UNIX).bind(path)"
        )
        self.app.must(sys.executable, "-c", script, path)
        self.addCleanup(self.app.must, "rm", "-r", path.rpartition("/")[0])

    def test_other_sources(self) -> None:
        """Its hosts file counts, whatever the machine asks first for names."""
        self.run_sender()
        path = self.app.path("/etc/nsswitch.conf")
        before = path.read_bytes()
        self.addCleanup(path.write_bytes, before)
        path.write_text("hosts: resolve [!UNAVAIL=return] dns files\n")
        self.socket("/run/nscd/socket")
        line = "getent hosts db.corp; test -S /run/nscd/socket || echo hidden"
        said = self.app.must(*self.prefix(), "sh", "-c", line)
        self.assertRegex(said, rf"^{ADDRESS}\s+db\.corp\nhidden\n$")

    def test_wildcards(self) -> None:
        """Wildcards come by the sender's name server, also only for it."""
        self.name_server("127.1.1.1")
        self.resolvers("127.1.1.1")
        ca = shlex.quote(str(self.stage.ca_file))
        line = f"curl -sS --cacert {ca} https://one.apps.corp/; getent hosts other.test"
        # glibc may be told to ask systemd-resolved, which does not know of us.
        resolved = "/run/systemd/resolve/io.systemd.Resolve"
        self.socket(resolved)
        line += f"; test -S {resolved} || echo hidden"
        said = self.app.must(*self.prefix(), "sh", "-c", line)
        self.assertIn("hidden", said)
        self.assertIn("web one.apps.corp", said)
        self.assertIn("2001:db8::1", said)

    def test_status(self) -> None:
        """Its exit status is the command's, also after a signal."""
        self.run_sender()
        for line, status in (
            ("exit 7", 7),
            ("kill -9 $$", 137),
            ("kill -PIPE $$", 141),
            ("true", 0),
        ):
            got, said = self.app.run(*self.prefix(), "sh", "-c", line)
            self.assertEqual((got, said), (status, ""))
        got, said = self.app.run(*self.prefix(), "/etc")
        self.assertEqual(got, 126)
        self.assertIn("/etc cannot be run: Permission denied", said)
        got, said = self.app.run(*self.prefix(), "no-such-command")
        self.assertEqual(got, 127)
        self.assertIn("no-such-command: there is no such command", said)

    def test_no_power(self) -> None:
        """Without root's power it takes a user namespace, and says what it lacks."""
        lesser = ["setpriv", "--bounding-set=-sys_admin,-net_bind_service", "--"]
        status, said = self.app.run(*lesser, "unshare", "-Um", "true")
        need(status == 0, f"no user namespaces here: {said}")
        sender = self.run_sender()
        line = "grep -c db.corp /etc/hosts; redis-cli -h cache.corp ping"
        argv = [*lesser, *self.prefix(), "sh", "-c", line]
        self.assertEqual(self.app.must(*argv), "1\nPONG\n")
        sender.stop()
        status, said = self.app.run(*argv)
        self.assertEqual(status, 1)
        self.assertRegex(
            said, "cannot listen on .*: Permission denied.*CAP_NET_BIND.*--isolated"
        )

    def isolated(self, config: str = "") -> list[str]:
        return [*command("exec", "--isolated", "-c", config or self.config, "--")]

    def test_isolated(self) -> None:
        """In a network of its own the redirected services are all that there is."""
        self.run_sender()  # has the same ports, where they are in nobody's way
        prefix = self.isolated()
        self.assertServed(*prefix)
        said = self.app.must(*prefix, "cat", "/proc/net/dev")
        self.assertEqual(re.findall(r"(\w+):", said), ["lo"])
        status, said = self.app.run(*prefix, "curl", "-sS", "http://10.90.1.2:443/")
        self.assertEqual(status, 7, said)
        # Nothing of ours is open in it: 3 is the folder that it lists.
        said = self.app.must(*prefix, "ls", "/proc/self/fd")
        self.assertEqual(said.split(), ["0", "1", "2", "3"])
        status, said = self.app.run(*prefix, "sh", "-c", "exit 7")
        self.assertEqual((status, said), (7, ""))

    def test_isolated_names(self) -> None:
        """Wildcards and other names are told there, and IPv6 has its addresses."""
        self.name_server("127.1.1.1")
        self.resolvers("127.1.1.1")
        doors = {"http_bind": "[::]:3128"}
        config = str(
            self.stage.redirects("own-network", doors, ipv6_network="fd77:6863::/64")
        )
        ca = shlex.quote(str(self.stage.ca_file))
        line = f"curl -sS --cacert {ca} https://one.apps.corp/; getent hosts other.test"
        line += (
            f"; getent ahostsv6 cache.corp; curl -6sS --cacert {ca} https://web.corp/"
        )
        line += f"; echo; curl -sS --cacert {ca} -px localhost:3128 https://web.corp/"
        said = self.app.must(*self.isolated(config), "sh", "-c", line)
        for part in ("web one.apps.corp", "2001:db8::1", "fd77:6863::"):
            self.assertIn(part, said)
        # By its IPv6 address, and by the front door at all addresses.
        self.assertEqual(said.count("web web.corp"), 2, said)

    def test_isolated_no_power(self) -> None:
        """Ports below 1024 need no right there; what is not allowed is said."""
        lesser = ["setpriv", "--bounding-set=-sys_admin,-net_bind_service", "--"]
        status, said = self.app.run(*lesser, "unshare", "-Un", "true")
        need(status == 0, f"no user namespaces here: {said}")
        self.assertServed(*lesser, *self.isolated())
        # Who is in a chroot gets no user namespace (unshare(2)).
        self.app.must("sh", "-c", "mkdir -p /run/root; mount --rbind / /run/root")
        self.addCleanup(self.app.must, "umount", "-l", "/run/root")
        chroot = ["setpriv", "--bounding-set=-sys_admin", "chroot", "/run/root"]
        status, said = self.app.run(*chroot, *self.isolated(), "true")
        self.assertEqual(status, 1)
        self.assertIn("cannot have a network of its own (unshare: Operation", said)
        self.assertIn("--cap-add SYS_ADMIN", said)

    def test_no_namespaces(self) -> None:
        """Where there are none, the hosts file itself has the names for a while."""
        before = self.app.must("cat", "/etc/hosts")
        # Who is in a chroot gets no user namespace (unshare(2)).
        self.app.must("sh", "-c", "mkdir -p /run/root; mount --rbind / /run/root")
        self.addCleanup(self.app.must, "umount", "-l", "/run/root")
        lesser = ["setpriv", "--bounding-set=-sys_admin", "chroot", "/run/root"]
        line = "grep -c db.corp /etc/hosts; redis-cli -h cache.corp ping"
        said = self.app.must(*lesser, *self.prefix(), "sh", "-c", line)
        self.assertIn("1\nPONG\n", said)
        self.assertIn("until it ends, /etc/hosts has the names, for all programs", said)
        self.assertEqual(self.app.must("cat", "/etc/hosts"), before)


class DnsTests(NamesTestCase):
    """The name server, as dig sees it."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = self.name_server("127.1.1.1")
        self.resolvers("127.1.1.1")
        self.run_sender()

    def test_redirected(self) -> None:
        """A, in any case, with a short life; what there is not is no error."""
        for name in ("db.corp", "DB.Corp"):
            said = self.dig(name)
            self.assertRegex(said, rf"(?m)^(?i:db\.corp)\.\s+5\s+IN\s+A\s+{ADDRESS}$")
            self.assertIn("status: NOERROR", said)
        address = self.dig("+short", "db.corp").strip()
        self.assertEqual(self.dig("+short", "-x", address), "db.corp.\n")
        for kind in ("AAAA", "MX", "HTTPS"):
            said = self.dig("db.corp", kind)
            self.assertIn("status: NOERROR", said)
            self.assertIn("ANSWER: 0", said)
        said = self.dig("+tcp", "+noedns", "db.corp")
        self.assertRegex(said, ADDRESS)
        said = self.dig("+short", "any.apps.corp")
        self.assertRegex(said, ADDRESS)
        self.assertEqual(said, self.dig("+short", "x.y.apps.corp"))

    def test_others(self) -> None:
        """Other names are what the network's name server says, EDNS and TCP too."""
        self.assertEqual(self.dig("+short", "other.test"), "192.0.2.1\n")
        self.assertEqual(self.dig("+short", "other.test", "AAAA"), "2001:db8::1\n")
        self.assertIn('"as it is"', self.dig("text.test", "TXT"))
        self.assertIn("status: NXDOMAIN", self.dig("apps.corp"))
        self.assertIn('"edns 1717"', self.dig("+bufsize=1717", "other.test"))
        said = self.dig("big.test")
        self.assertIn("retrying in TCP mode", said)
        self.assertIn("ANSWER: 100", said)

    def test_dead(self) -> None:
        """With a dead name server the next one is asked; with none, SERVFAIL."""
        self.resolvers("127.1.1.9", "127.1.1.1")
        self.assertEqual(self.dig("+short", "other.test"), "192.0.2.1\n")
        self.resolvers("10.90.1.99", "127.1.1.1")
        self.assertEqual(self.dig("+short", "other.test", "AAAA"), "2001:db8::1\n")
        self.resolvers("127.1.1.9")
        self.assertIn("status: SERVFAIL", self.dig("no.test"))
        self.resolvers("10.90.1.99")
        said = self.dig("+time=5", "no.test")
        self.assertIn("status: SERVFAIL", said)
        self.assertRegex(self.dig("+short", "db.corp"), ADDRESS)

    def test_slow(self) -> None:
        """A slow one is not waited for, and still heard if it is the only one."""
        self.upstream.discard()
        self.name_server("127.1.1.2", 3.0)
        self.resolvers("127.1.1.2")
        self.assertEqual(self.dig("+short", "other.test"), "192.0.2.1\n")
        self.name_server("127.1.1.3")
        self.resolvers("127.1.1.2", "127.1.1.3")
        said = self.dig("text.test", "TXT")
        self.assertIn('"as it is"', said)
        self.assertLess(int(said.partition("Query time: ")[2].split()[0]), 2900)


class DoorTests(NamesTestCase):
    """Proxies, and standard streams."""

    def test_front_door(self) -> None:
        """SOCKS5 and CONNECT lead to redirected names, and nowhere else."""
        doors = {"socks_bind": "127.0.0.1:1080", "http_bind": "127.0.0.1:3128"}
        sender = self.stage.started(self.stage.sender_with("doors", doors=doors))
        self.addCleanup(sender.stop)
        curl = ["curl", "-sS", "--cacert", str(self.stage.ca_file), "-x"]
        for proxy in ("socks5h://127.0.0.1:1080", "http://127.0.0.1:3128"):
            for name in ("web.corp", "one.apps.corp"):
                said = self.app.must(*curl, proxy, f"https://{name}/")
                self.assertEqual(said, f"web {name}")
            status, said = self.app.run(*curl, proxy, "https://relay.test/")
            self.assertNotEqual(status, 0)
            self.assertRegex(said, "403|not allowed|2")
        sender.wait_log("relay.test:443 is not redirected")

    def test_closed_streams(self) -> None:
        """Without standard input or output there is nothing to join: it is said."""
        for closed in ("<&-", ">&-"):
            argv = shlex.join(command("connect", "-c", self.config, "db"))
            status, said = self.app.run("sh", "-c", f"{argv} {closed}")
            self.assertEqual(status, 1)
            self.assertIn("standard input or output is closed", said)
            self.assertNotIn("Traceback", said)

    def test_proxy_command(self) -> None:
        """ssh needs neither a sender nor names, by host and port or by entity."""
        for where in ("%h:%p", "shell"):
            argv = command("connect", "-c", self.config, where)
            proxy = " ".join(shlex.quote(word) for word in argv)
            said = self.app.must(
                *("ssh", *self.stage.sshd.options, "-o", f"ProxyCommand={proxy}"),
                *("root@server.corp", "head -c 3000000 /dev/zero | wc -c; cat"),
                given=b"to the end",
            )
            self.assertEqual(said, "3000000\nto the end")
        said = self.must("connect", "-c", self.config, "no.corp:22", status=1)
        self.assertIn("no.corp:22 is not redirected", said)


class Ipv6Tests(NamesTestCase):
    """IPv6, where the loopback interface has the addresses."""

    def test_ipv6(self) -> None:
        """install puts them there, undo takes them away; without them, none is told."""
        sender = self.stage.sender_with("six", ipv6_network="fd77:6863::/64")
        config = str(self.stage.folder / "six.toml")
        self.addCleanup(sender.stop)
        self.stage.started(sender)
        sender.wait_log("ip -6 address add fd77:")
        self.assertIn("ANSWER: 0", self.dig("db.corp", "AAAA"))
        sender.stop()
        self.addCleanup(self.stage.command, "redirect", "undo")
        self.must("redirect", "install", "-c", config, "--way", "hosts")
        self.stage.started(sender)
        self.assertRegex(self.dig("+short", "db.corp", "AAAA"), "^fd77:6863::")
        said = self.app.must("getent", "ahostsv6", "cache.corp")
        self.assertIn("fd77:6863:", said)
        address = said.split()[0]
        self.assertEqual(self.app.must("redis-cli", "-h", address, "ping"), "PONG\n")
        self.assertServed()
        self.must("redirect", "undo")
        self.assertNotIn("fd77:", self.app.must("ip", "address", "show", "dev", "lo"))
