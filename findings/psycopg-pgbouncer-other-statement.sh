#!/usr/bin/env bash
# With PgBouncer before 1.21 in transaction mode, psycopg 3 does not only fail: it can run another program's
# statement without any error. psycopg prepares a statement automatically when it is executed for the sixth time,
# and every process of every program uses the same names: _pg3_0, _pg3_1 ... A client that gets the server
# connection of another client finds that name there. If its parameters fit, the other client's statement is
# executed: here, an UPDATE instead of a SELECT.
#
# This script needs Debian's packages postgresql and pgbouncer (1.18 in Debian 12).
set -euo pipefail
PATH="$PATH:/usr/sbin"
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
folder=$(mktemp -d)
tidy() {
    kill -9 "${pooler:-}" 2>/dev/null || true
    "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >"$folder/stop" 2>&1 || true
    rm -rf "$folder"
}
as=()
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    chown postgres "$folder"
fi
trap tidy EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'

"${as[@]}" "$bin/initdb" -D data -U postgres -A trust --no-locale >initdb.log
"${as[@]}" "$bin/pg_ctl" -D data -w -l server.log -o "-k $folder -c listen_addresses=''" start >start.log
cat >ini <<INI
[databases]
* = host=$folder
[pgbouncer]
listen_port = 6432
listen_addr =
unix_socket_dir = $folder
auth_type = trust
auth_file = $folder/users
pool_mode = transaction
default_pool_size = 2
server_round_robin = 1
INI
echo '"postgres" ""' >users
"${as[@]}" pgbouncer -q ini >pooler.log 2>&1 &
pooler=$!

pgbouncer --version | head -1
venv/bin/python - "$folder" <<'PYTHON'
import sys
import time

import psycopg

print("psycopg", psycopg.__version__)


def connect():
    for _ in range(100):
        try:
            return psycopg.connect(host=sys.argv[1], port=6432, user="postgres", dbname="postgres")
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise SystemExit("The pooler accepts no connections.")


with connect() as one:
    one.execute("CREATE TABLE account (id int, closed bool)")
    one.execute("INSERT INTO account VALUES (7, false)")

close, look = connect(), connect()
CLOSE = "UPDATE account SET closed = true WHERE id = %s RETURNING closed"
LOOK = "SELECT closed FROM account WHERE id = %s"
# Both are in a transaction at the same time, so each has its own server connection.
for _ in range(6):
    close.execute(CLOSE, [1])
    look.execute(LOOK, [1])
names = [c.execute("SELECT name FROM pg_prepared_statements", prepare=False).fetchall() for c in (close, look)]
print("prepared on each connection:", names)
# Now each gets the other's: the next client gets the connection that has been idle longest.
look.commit()
close.commit()

outcomes = []
for _ in range(4):
    try:
        before = look.execute(LOOK, [7]).fetchone()
        outcomes.append(before)
        look.commit()
    except psycopg.Error as error:
        outcomes.append(type(error).__name__)
        look.rollback()
print("account 7 is open; SELECT returns, run by run:", outcomes)

with psycopg.connect(host=sys.argv[1], user="postgres", dbname="postgres") as plain:
    (closed,) = plain.execute("SELECT closed FROM account WHERE id = 7").fetchone()
print("closed in the table:", closed)
assert closed, "A SELECT no longer executes another client's UPDATE."
assert all(isinstance(found, tuple) for found in outcomes), "It is an error now."
PYTHON
