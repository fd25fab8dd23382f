#!/usr/bin/env bash
# Tests often start a database server of their own for each worker, with a data folder each. One guesses that
# two servers share nothing then. But both keep the files of temporary tables in /tmp, and a MariaDB that
# starts deletes all of them there, the other server's too. A statement or an installation (bootstrap) that
# needs its temporary table again fails: "Unknown table", and that only if the times meet. Each server needs a
# tmpdir of its own. PostgreSQL keeps such files in its data folder.
#
# This script needs Debian's package mariadb-server (10.11 in Debian 12).
set -euo pipefail
export PATH="$PATH:/usr/sbin"
folder=$(mktemp -d)
servers=()
tidy() {
    for server in "${servers[@]}"; do kill -9 "$server" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap tidy EXIT
cd "$folder"
mkdir shared

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'PyMySQL==1.2.4'

install() {
    mkdir "own-$1"
    mariadb-install-db --no-defaults --datadir="$folder/$1" --tmpdir="$folder/own-$1" --user="$(id -un)" \
        --auth-root-authentication-method=normal --skip-test-db >"install-$1.log" 2>&1
}

start() {
    mariadbd --no-defaults --datadir="$folder/$1" --tmpdir="$folder/shared" --user="$(id -un)" \
        --socket="$folder/socket-$1" --skip-networking --pid-file="$folder/pid-$1" >"server-$1.log" 2>&1 &
    servers+=($!)
    for _ in $(seq 600); do
        [ ! -S "socket-$1" ] || return 0
        sleep 0.1
    done
    return 1
}

install first
install second
start first
mkfifo go
venv/bin/python - <<'PYTHON' &
import pathlib

import pymysql


def files():
    return len([*pathlib.Path("shared").glob("#sql-temptable*")])


with pymysql.connect(unix_socket="socket-first", user="root", database="mysql", autocommit=True) as connection:
    cursor = connection.cursor()
    cursor.execute("SELECT VERSION()")
    print(cursor.fetchone()[0])
    cursor.execute("CREATE TEMPORARY TABLE work (id INT) ENGINE = Aria")
    cursor.execute("INSERT INTO work VALUES (1)")
    before = files()
    pathlib.Path("ready").touch()
    pathlib.Path("go").read_text()
    after = files()
    print("files of the first server's temporary table:", before)
    print("the same, after the second server has started:", after)
    try:
        cursor.execute("DROP TEMPORARY TABLE work")
        dropped = "ok"
    except pymysql.MySQLError as error:
        dropped = str(error)
    print("DROP TEMPORARY TABLE in the first server:", dropped)
assert before > 0 and after == 0
PYTHON
judge=$!
for _ in $(seq 600); do
    [ ! -e ready ] || break
    sleep 0.1
done
start second
echo go >go
wait "$judge"
