#!/usr/bin/env bash
# Workers take jobs from a table with SELECT ... ORDER BY ... LIMIT 1 FOR UPDATE SKIP LOCKED. One guesses that a
# statement with LIMIT 1 locks one row, and that a second worker gets the next one. In MariaDB that holds only if
# an index gives the order. If the server has to sort, it locks every row that it sorts, and the second worker is
# told that there is no job. PostgreSQL locks the rows that it returns, in both cases.
#
# This script needs Debian's package mariadb-server (10.11 in Debian 12).
set -euo pipefail
export PATH="$PATH:/usr/sbin"
folder=$(mktemp -d)
server=
tidy() {
    if [ -n "$server" ]; then
        kill -9 "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap tidy EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'PyMySQL==1.2.4'

mariadb-install-db --no-defaults --datadir="$folder/data" --user="$(id -un)" \
    --auth-root-authentication-method=normal --skip-test-db >install.log 2>&1
mariadbd --no-defaults --datadir="$folder/data" --user="$(id -un)" --socket="$folder/socket" \
    --skip-networking --pid-file="$folder/pid" >server.log 2>&1 &
server=$!
for _ in $(seq 600); do
    [ ! -S socket ] || break
    sleep 0.1
done

venv/bin/python - <<'PYTHON'
import pymysql


def worker():
    """Return a cursor of a new connection, in a transaction."""
    connection = pymysql.connect(unix_socket="socket", user="root", database="work")
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    connection.commit()
    return cursor


def take(cursor):
    cursor.execute("SELECT id FROM jobs ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED")
    return cursor.fetchall()


with pymysql.connect(unix_socket="socket", user="root", autocommit=True) as admin:
    cursor = admin.cursor()
    cursor.execute("SELECT VERSION()")
    print(cursor.fetchone()[0])
    cursor.execute("CREATE DATABASE work")
    cursor.execute("CREATE TABLE work.jobs (id INT PRIMARY KEY, due INT NOT NULL) ENGINE = InnoDB")
    cursor.execute("INSERT INTO work.jobs SELECT seq, 1000 - seq FROM mysql.seq_1_to_100")
    found = {}
    for order in ("sorted", "by an index"):
        first, second = worker(), worker()
        found[order] = take(first), take(second)
        print(f"{order}: the first worker takes {found[order][0]}, the second {found[order][1]}")
        for one in (first, second):
            one.connection.close()
        cursor.execute("ALTER TABLE work.jobs ADD INDEX (due)")
assert found["sorted"] == (((100,),), ()), found
assert found["by an index"] == (((100,),), ((99,),)), found
PYTHON
