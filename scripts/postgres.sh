#!/usr/bin/env bash
# A PostgreSQL cluster of one's own for development and tests: on loopback, on a free port, everything
# in one folder, which `stop` leaves in place. Not durable (fsync is off): never for real records.
#
#   scripts/postgres.sh start FOLDER     make the cluster if need be, start it, print its URL
#   scripts/postgres.sh restart FOLDER   end it at once, as a crash does, and start it again
#   scripts/postgres.sh stop FOLDER
#   scripts/postgres.sh remove FOLDER    end it at once and delete the folder
#
# The binaries are those of TALENTSEAL_PG_BIN, else the newest that Debian has installed. PostgreSQL
# refuses to run as root: for root it runs as `postgres`. The password is in FOLDER/password, which
# only its owner can read.
set -euo pipefail

usage() { echo "usage: scripts/postgres.sh start|restart|stop|remove FOLDER" >&2; exit 2; }
[ "$#" -eq 2 ] || usage
act=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)

bin=${TALENTSEAL_PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
if [ ! -x "$bin/initdb" ]; then
    echo "PostgreSQL is missing: install the package postgresql, or name its folder in TALENTSEAL_PG_BIN" >&2
    exit 4
fi

as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@")
    else
        "$@"
    fi
}
control() { as_server "$bin/pg_ctl" -D "$folder/data" -w -s -l "$folder/log" "$@" >&2; }
tell() { echo "postgresql://talentseal@127.0.0.1:$1/postgres?passfile=$folder/password"; }
free_port() {
    python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

make_cluster() {
    local secret
    secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && echo "$secret" >"$folder/secret" && echo "*:*:*:*:$secret" >"$folder/password")
    [ "$(id -u)" -ne 0 ] || chown -R postgres "$folder"
    as_server "$bin/initdb" -D "$folder/data" -U talentseal --pwfile="$folder/secret" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    rm "$folder/secret"
}

start() {
    [ -d "$folder/data" ] || make_cluster
    if control status >/dev/null 2>&1; then
        tell "$(cat "$folder/port")"
        return
    fi
    local port try
    for try in 1 2 3; do # somebody else may take the port first
        port=$(free_port)
        if control start -o "-p $port -k $folder -c listen_addresses=127.0.0.1 -c fsync=off \
            -c shared_buffers=32MB -c max_connections=200 \
            -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=64MB"; then
            echo "$port" >"$folder/port"
            tell "$port"
            return
        fi
    done
    tail -n 20 "$folder/log" >&2
    exit 4
}

case $act in
    start) start ;;
    restart) control restart -m immediate ;;
    stop) control stop -m fast ;;
    remove) control stop -m immediate && rm -r "$folder" ;;
    *) usage ;;
esac
