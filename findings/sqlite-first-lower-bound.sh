#!/usr/bin/env bash
# An app reads a page of a long table by number, and adds one condition after the other: id > 0, id >= 199000. One
# guesses that SQLite begins at the higher of two lower bounds, or that their order in the text does not matter. It
# begins at the first one in the text, and reads 199,000 rows for nothing. EXPLAIN QUERY PLAN shows the same plan for
# both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'apsw==3.54.1.0'

venv/bin/python - <<'PYTHON'
import apsw

database = apsw.Connection(":memory:")
database.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY, subject TEXT)")
with database:
    database.executemany("INSERT INTO mail VALUES (?, 'Hello')", ((n,) for n in range(1, 200_001)))


def plan_and_steps(bounds):
    """Return the plan of a query and the steps of SQLite's machine that it takes."""
    query = f"SELECT id FROM mail WHERE {bounds} AND subject = 'x' ORDER BY id DESC"
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
    steps = 0

    def count():
        nonlocal steps
        steps += 10
        return False

    database.set_progress_handler(count, 10)
    assert database.execute(query).fetchall() == []
    database.set_progress_handler(None, 10)
    return plan, steps


print("SQLite", apsw.sqlite_lib_version())
found = {}
for bounds in ("id >= 199000", "id >= 199000 AND id > 0", "id > 0 AND id >= 199000"):
    plan, found[bounds] = plan_and_steps(bounds)
    print(f"{bounds}: {plan[0]}, {found[bounds]:,} steps")
one, high_first, low_first = found.values()
assert high_first < 3 * one
assert low_first > 50 * one
PYTHON
