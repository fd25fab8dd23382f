#!/usr/bin/env bash
# An asynchronous app stores octets in MySQL with aiomysql, which asks for "PyMySQL>=1.0". One guesses that it takes
# bytes, as PyMySQL does. But aiomysql 0.3.2 imports a function of PyMySQL that was never documented, and since 1.2.3 a
# text with the same name is in its place: the import works, and each statement with a bytes parameter raises
# "TypeError: 'str' object is not callable" (https://github.com/aio-libs/aiomysql/issues/1080).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
for version in 1.1.3 1.2.4; do
    venv/bin/pip install --quiet --disable-pip-version-check 'aiomysql==0.3.2' "PyMySQL==$version"
    venv/bin/python - <<'PYTHON'
import asyncio

import aiomysql
import pymysql


async def escaped():
    """Write a value as a statement has it, which needs no server."""
    try:
        return aiomysql.Connection().escape(b"octets")
    except TypeError as error:
        return f"TypeError: {error}"


found = asyncio.run(escaped())
print(f"aiomysql {aiomysql.__version__}, PyMySQL {pymysql.VERSION_STRING}: {found}")
works = pymysql.VERSION_STRING == "1.1.3"
assert found == ("_binary'octets'" if works else "TypeError: 'str' object is not callable")
PYTHON
done
