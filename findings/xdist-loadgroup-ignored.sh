#!/usr/bin/env bash
# pytest-xdist 3.8.0 with --dist loadgroup and pytest 9.2.0: tests marked with the same xdist_group do
# not run in the same worker. There is no error and no warning, and the scheduler says LoadGroupScheduling.
# The documentation says that all tests of a group run in one worker, and with pytest 8.4.2 they do.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/test_group.py" <<'PYTHON'
import pytest


@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(20))
def test_one(number, worker_id, tmp_path_factory):
    with (tmp_path_factory.getbasetemp().parent / "workers").open("a") as file:
        file.write(f"{worker_id}\n")
PYTHON
for pytest in 8.4.2 9.2.0; do
    python3 -m venv "$folder/$pytest"
    "$folder/$pytest/bin/pip" install --quiet --disable-pip-version-check "pytest==$pytest" pytest-xdist==3.8.0
    "$folder/$pytest/bin/python" -m pytest -q -n 2 --dist loadgroup --basetemp="$folder/temp-$pytest" "$folder/test_group.py"
    echo "pytest $pytest, pytest-xdist 3.8.0: the group ran in"
    sort "$folder/temp-$pytest/workers" | uniq -c | tee "$folder/found-$pytest"
done
[ "$(wc -l <"$folder/found-8.4.2")" = 1 ] || { echo "pytest 8.4.2 does not keep the group together" >&2; exit 1; }
[ "$(wc -l <"$folder/found-9.2.0")" = 2 ] || { echo "pytest 9.2.0 keeps the group together now" >&2; exit 1; }
