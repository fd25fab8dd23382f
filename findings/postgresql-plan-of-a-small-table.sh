#!/usr/bin/env bash
# psycopg 3 has PostgreSQL prepare a statement that is executed for the sixth time. One guesses that a lookup by
# the primary key then uses the primary key, whatever the size of the table. But the server keeps the plan of
# the day on which the table was small: it reads all of the table for one row, until the next ANALYZE. The same
# statement on a new connection, or with prepare=False, uses the index at once, because a plan that is not kept
# is made for the number of pages that the table has now.
#
# This script needs Debian's package postgresql (15 in Debian 12).
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
folder=$(mktemp -d)
tidy() {
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
# Without autovacuum, as in the minute before it looks at the table.
options="-k $folder -c listen_addresses='' -c autovacuum=off"
"${as[@]}" "$bin/pg_ctl" -D data -w -l server.log -o "$options" start >start.log

venv/bin/python - "$folder" <<'PYTHON'
import sys
import time

import psycopg

LOOK = "SELECT word FROM t WHERE id = %s"


def connect():
    return psycopg.connect(host=sys.argv[1], user="postgres", dbname="postgres", autocommit=True)


def look(connection, **options):
    """Return the rows that were read one after the other, and the milliseconds of the best of 5."""
    took = []
    before = read()
    for _ in range(5):
        start = time.perf_counter()
        connection.execute(LOOK, [100_000], **options).fetchone()
        took.append((time.perf_counter() - start) * 1000)
    connection.execute("SELECT pg_stat_force_next_flush()", prepare=False)
    connection.execute("SELECT 1", prepare=False)
    return (read() - before) // 5, f"{min(took):.2f} ms"


def read():
    found = other.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 't'")
    return found.fetchone()[0]


one, other = connect(), connect()
print("psycopg", psycopg.__version__, "PostgreSQL", one.info.server_version // 10000)
one.execute("CREATE TABLE t (id int PRIMARY KEY, word text)")
one.execute("INSERT INTO t VALUES (1, 'x')")
one.execute("VACUUM ANALYZE t")
for _ in range(15):
    one.execute(LOOK, [100_000]).fetchone()
other.execute("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(2, 200000) AS i")
kept = look(one)
print("rows read by the connection that knew the small table:", *kept)
fresh = look(one, prepare=False)
print("rows read by the same connection with prepare=False:  ", *fresh)
other.execute("ANALYZE t")
after = look(one)
print("rows read by the first way after ANALYZE:             ", *after)
assert kept[0] >= 200_000, "The plan is made anew when the table has grown."
assert fresh[0] == after[0] == 0, "No plan uses the index."
PYTHON
