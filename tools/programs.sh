#!/bin/sh
# Programs that the end-to-end tests use as real clients and targets.
#
# On a continuous-integration machine (CI=true, and we are root) install what is
# missing.  On anyone else's machine install nothing: tests whose program is
# missing are skipped, and say so.
set -eu

[ "${CI:-}" = true ] || exit 0

missing=
need() {
    # sshd and initdb live outside an ordinary PATH.
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need curl curl
need psql postgresql
need pg_dump postgresql
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
need ssh openssh-client
need scp openssh-client
need sshd openssh-server
need node nodejs
need npm npm
need chromium chromium
need tinyproxy tinyproxy-bin
need microsocks microsocks
need systemd-analyze systemd
need squid squid-openssl
need ip iproute2
need dig bind9-dnsutils
need haproxy haproxy
need redis-server redis-server
need redis-cli redis-tools
need setpriv util-linux

# Its package would change this machine's own resolv.conf, so it is only unpacked.
resolved=build/resolved
unpack_resolved() {
    [ -e /lib/systemd/systemd-resolved ] || [ -e "$resolved/lib/systemd" ] && return
    mkdir -p "$resolved"
    (
        cd "$resolved"
        apt-get download systemd-resolved ||
            { apt-get update && apt-get download systemd-resolved; }
        dpkg -x systemd-resolved*.deb .
    )
}

if [ -z "$missing" ]; then
    unpack_resolved >/dev/null 2>&1 || true
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "hybridconn: missing for the tests:$missing (install them, or run as root on Debian)" >&2
    exit 1
fi
mkdir -p build
echo "Installing$missing ..."
# The packages' own services stay down: the tests start private ones.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
{
    apt-get update
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $missing
    unpack_resolved
} >build/apt.log 2>&1 || {
    tail -n 15 build/apt.log >&2
    exit 1
}
