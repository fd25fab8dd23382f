#!/usr/bin/env bash
# A partial index of PostgreSQL has a column that its own condition fixes: (account, state, priority) WHERE state =
# 'waiting'. A query gives all three columns. One guesses that the server goes straight to the place in the index, as it
# does in the same index without the condition. But the planner drops state = 'waiting' from the search, because the
# index implies it, and then nothing bounds the priority: the server reads each entry of the account to find that none
# has the priority. EXPLAIN shows an Index Cond without state and looks right. The column in the index makes the query
# slower than an index without it. A third way to say it, state LIKE 'waiting', which the planner cannot prove, is
# searched for, and the query reads a few pages again.
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

"${as[@]}" "$bin/initdb" -D data -U postgres -A trust --no-locale >initdb.log
options="-k $folder -c listen_addresses='' -c jit=off"
"${as[@]}" "$bin/pg_ctl" -D data -w -l server.log -o "$options" start >start.log

sql() { "$bin/psql" -h "$folder" -U postgres -Atqc "$1"; }

# Prints the condition of the search and the pages that it reads, and leaves the pages in $pages.
look() {
    local plan
    plan=$(sql "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) SELECT n FROM t
        WHERE account = 'a0' AND state = 'waiting' AND priority = 1 $2 ORDER BY n LIMIT 1")
    # Of the first line, which is about the whole query: hit, and read.
    pages=$(grep -m 1 Buffers <<<"$plan" | grep -o "[0-9]*" | paste -sd+)
    pages=$((pages))
    echo "$1: $pages pages"
    grep 'Index Cond' <<<"$plan"
}

sql "SHOW server_version" | sed 's/^/PostgreSQL /'
sql "CREATE TABLE t (account text, state text, priority int, n int)"
# Each account has rows of one priority only.
sql "INSERT INTO t SELECT 'a' || n % 3, 'waiting', n % 3, n FROM generate_series(1, 300000) AS n"
make() { sql "DROP INDEX IF EXISTS i; CREATE INDEX i ON t $1" 2>/dev/null && sql "VACUUM ANALYZE t"; }

make "(account, state, priority, n)"
look "the whole index                       " ""
whole=$pages
make "(account, state, priority, n) WHERE state = 'waiting'"
look "the partial index with the column     " ""
partial=$pages
look "the same, and AND state LIKE 'waiting'" "AND state LIKE 'waiting'"
again=$pages
make "(account, priority, n) WHERE state = 'waiting'"
look "the partial index without the column  " ""
without=$pages

[ "$partial" -gt 300 ] || { echo "The partial index is searched for all columns now."; exit 1; }
[ "$whole" -lt 20 ] && [ "$again" -lt 20 ] && [ "$without" -lt 20 ]
