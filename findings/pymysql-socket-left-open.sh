#!/usr/bin/env bash
# An app asks with PyMySQL whether its database is up again, through the Unix socket that Debian sets up. One
# guesses that a connect() that fails leaves nothing behind, as it does over TCP. But PyMySQL makes the socket
# itself, and does not close it if nobody listens: a ResourceWarning for each attempt, which an app that makes
# warnings errors, or collects garbage late, notices.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'PyMySQL==1.2.4'

venv/bin/python -W always - <<'PYTHON'
import gc
import socket
import warnings

import pymysql


def left(**where):
    """Return how many sockets a failed connect() leaves open."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pymysql.connect(user="shop", **where)
        except pymysql.err.OperationalError as error:
            print(error)
        gc.collect()
    return sum(one.category is ResourceWarning for one in caught)


with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
tcp = left(host="127.0.0.1", port=port)
unix = left(unix_socket="nothing-here")
print(f"PyMySQL {pymysql.VERSION_STRING}: left open over TCP: {tcp}, over a Unix socket: {unix}")
assert (tcp, unix) == (0, 1)
PYTHON
