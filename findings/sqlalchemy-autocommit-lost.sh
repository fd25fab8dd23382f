#!/usr/bin/env bash
# An engine of SQLAlchemy with isolation_level="AUTOCOMMIT" stays so: one guesses that a connection which asks
# for another level gets it for itself, and that the next one commits by itself again.
# Up to 2.0.18 the driver's connection goes back to the pool with the level of the server. The next caller
# writes into a transaction that nobody commits, and the row is gone, without an error. 2.0.20 keeps it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 2.0.16 2.0.18 2.0.20 2.1.9; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==$version"
    "$folder/$version/bin/python" - "$folder/$version.db" <<'PYTHON' | tee -a "$folder/found"
import sys

import sqlalchemy
from sqlalchemy import text

engine = sqlalchemy.create_engine(
    f"sqlite:///{sys.argv[1]}",
    isolation_level="AUTOCOMMIT",
    poolclass=sqlalchemy.pool.QueuePool,
    pool_size=1,
    max_overflow=0,
)
with engine.connect() as connection:
    connection.execute(text("CREATE TABLE t (x)"))
    connection.execute(text("INSERT INTO t VALUES ('before')"))
with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
    connection.execute(text("INSERT INTO t VALUES ('within')"))
    connection.commit()
with engine.connect() as connection:
    connection.execute(text("INSERT INTO t VALUES ('after')"))
with engine.connect() as connection:
    rows = [row.x for row in connection.execute(text("SELECT x FROM t"))]
print(f"SQLAlchemy {sqlalchemy.__version__}:", *rows)
PYTHON
done
diff "$folder/found" - <<'EXPECTED' || { echo "the behaviour has changed" >&2; exit 1; }
SQLAlchemy 2.0.16: before within
SQLAlchemy 2.0.18: before within
SQLAlchemy 2.0.20: before within after
SQLAlchemy 2.1.9: before within after
EXPECTED
