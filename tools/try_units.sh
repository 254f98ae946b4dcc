#!/bin/sh
# Run the units of deploy/systemd under a real systemd, in a container whose root is an
# overlay of this machine's: nothing of it is changed.  Needs root, Debian's
# systemd-container and /usr/bin/python3 with venv.  Ends with status 0 if all is well.
#
#   tools/try_units.sh            make try-units
set -eu

cd "$(dirname "$0")/.."
work=$PWD/build/try-units
nspawn=${NSPAWN:-systemd-nspawn}

fail() {
    printf 'try-units: %s\n' "$1" >&2
    exit 1
}

if [ "${1:-}" = inside ]; then
    exec >"/out/log" 2>&1
    trap 'systemctl poweroff --no-block' EXIT
    must() { # what, wanted, found
        if [ "$2" = "$3" ]; then echo "PASS $1"; else echo "FAIL $1: $3, not $2"; fi
    }
    show() { systemctl show "$1" -p "$2" --value; }
    systemd-sysusers /units/hybridconn.sysusers
    (cd /etc/hybridconn && chown hybridconn:hybridconn relay.toml relay.key relay.pem)
    cp /units/*.service /etc/systemd/system/
    systemctl daemon-reload
    for unit in hcrelay hclistener; do
        systemctl start $unit || true
        must "$unit tells that it is there" active "$(show $unit ActiveState)"
    done
    sleep 2
    journalctl -u hclistener -o cat | grep -q 'db: online' && online=yes || online=no
    must 'the listener is online' yes $online
    for unit in hcrelay hclistener; do
        systemctl reload $unit && reloaded=yes || reloaded=no
        must "$unit reloads" yes $reloaded
    done
    mkdir -p /etc/systemd/system/hclistener.service.d
    printf '[Service]\nWatchdogSec=3\n' >/etc/systemd/system/hclistener.service.d/short.conf
    systemctl daemon-reload
    systemctl restart hclistener
    sleep 5
    must 'the watchdog hears of it' 0 "$(show hclistener NRestarts)"
    kill -STOP "$(show hclistener MainPID)"
    sleep 9
    must 'one that hangs is started anew' 1 "$(show hclistener NRestarts)"
    must 'and is there again' active "$(show hclistener ActiveState)"
    for unit in hclistener hcrelay; do
        systemctl stop $unit || true
        must "$unit stops in order" success "$(show $unit Result)"
    done
    journalctl -u hcrelay -u hclistener -o cat >/out/journal
    echo done
    exit 0
fi

if [ "${1:-}" = container ]; then
    mount --make-rprivate /
    mount -t tmpfs none "$work/overlay"
    mkdir "$work/overlay/up" "$work/overlay/work"
    mount -t overlay overlay "$work/root" \
        -o "lowerdir=/,upperdir=$work/overlay/up,workdir=$work/overlay/work"
    UNIFIED_CGROUP_HIERARCHY=1 exec timeout -k 5 150 "$nspawn" -q -D "$work/root" \
        --register=no --keep-unit --private-network --boot \
        --bind="$work/out:/out" --bind="$work/etc:/etc/hybridconn" \
        --bind-ro="$PWD/deploy/systemd:/units" --bind-ro="$PWD/tools:/tools" \
        --bind-ro="$work/hybridconn:/opt/hybridconn" \
        --bind-ro="$work/try.service:/etc/systemd/system/try.service" \
        --bind-ro="$work/try.target:/etc/systemd/system/try.target" \
        systemd.unit=try.target
fi

[ "$(id -u)" = 0 ] || fail 'only root may make containers'
command -v "$nspawn" >/dev/null || fail 'systemd-nspawn is missing (Debian: apt install systemd-container)'

rm -rf "$work"
mkdir -p "$work/out" "$work/overlay" "$work/root"
/usr/bin/python3 -m venv "$work/hybridconn"
"$work/hybridconn/bin/pip" install -q . >"$work/pip.log" 2>&1 || fail "pip failed, see $work/pip.log"
"$work/hybridconn/bin/twistd" --help >/dev/null
"$work/hybridconn/bin/hybridconn" init "$work/etc" --host localhost --port 8443 \
    --entity db --endpoint 127.0.0.1:22 >/dev/null
sed -i 's|"listen.connection-string"|"/run/credentials/hclistener.service/listen.connection-string"|' "$work/etc/listener.toml"
chmod 755 "$work/etc"
chmod 644 "$work/etc/listener.toml"
# In the container it has another place.
sed -i "1s|^#!.*|#!/opt/hybridconn/bin/python3|" "$work/hybridconn/bin/twistd"
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nTimeoutStartSec=120\nExecStart=/tools/try_units.sh inside\n' >"$work/try.service"
printf '[Unit]\nRequires=try.service dbus.service systemd-journald.service\nAfter=dbus.service\n' >"$work/try.target"

unshare --mount "$0" container >"$work/out/console" 2>&1 || true
grep -E '^(PASS|FAIL)' "$work/out/log" || fail "nothing ran, see $work/out/console"
grep -q '^done$' "$work/out/log" || fail "it did not come to its end, see $work/out"
! grep -q '^FAIL' "$work/out/log" || exit 1
