#!/usr/bin/env bash
# On Python 3.15, itsdangerous accepts a signed token with a space, a line break or a NUL at its end; up to 3.14
# it raises BadSignature. Python's base64 skips characters that are not base64, and now one too few "=" as well.
# The content is still the signed one, but a token, Flask's session cookie included, is no longer one text only:
# code that stores tokens as used, or compares or caches by them, can be given the same one again.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$here/.ci/newer-python" "$folder/own" 3.14 3.15 >"$folder/pythons" 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
while IFS= read -r python; do
    name=$(basename "$python")
    "$python" -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet --disable-pip-version-check itsdangerous==2.2.0
    "$folder/$name/bin/python" - <<'PYTHON'
import base64
import sys
from importlib.metadata import version

from itsdangerous import BadSignature
from itsdangerous import URLSafeSerializer

print("itsdangerous", version("itsdangerous"), "Python", sys.version.split()[0])
serializer = URLSafeSerializer("a secret key")
token = str(serializer.dumps(["ann@example.com"]))
accepted = []
for more in (" ", "\n", "\0", "!", "A"):
    try:
        serializer.loads(token + more)
        accepted.append(more)
    except BadSignature:
        pass
print("    accepted with one character more:", accepted)
try:
    print("    base64:", base64.urlsafe_b64decode(b"YWI\0"))
except ValueError as error:
    print("    base64:", error)
new = sys.version_info >= (3, 15)
assert accepted == ([" ", "\n", "\0", "!"] if new else []), accepted
PYTHON
done <"$folder/pythons"
grep -q 3.15 "$folder/pythons"
