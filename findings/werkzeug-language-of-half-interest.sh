#!/usr/bin/env bash
# Werkzeug, and so Flask, chooses the language of a page with request.accept_languages.best_match(). One guesses
# that a browser in Quebec, which sends "fr-CA, en;q=0.5", gets the French page: its first choice differs from "fr"
# only in the region, and the method does fall back from "fr-CA" to "fr" (lookup of RFC 4647 section 3.4).
# It falls back only if no language of the list is there exactly as it stands, whatever its quality. So the reader
# gets English, which the browser has named as half as good, or a thousandth as good. best_match() has no option
# for it: code that wants the first choice must walk through accept_languages.values() itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 3.0.6 3.1.9; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "werkzeug==$version"
    "$folder/$version/bin/python" - <<'PYTHON' | tee -a "$folder/found"
from importlib.metadata import version

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

pages = ["en", "de", "fr"]
for sent in ("fr-CA", "fr-CA, en;q=0.5", "fr-CA, en;q=0.001", "fr-CA, fr;q=0.9, en;q=0.5"):
    request = Request(EnvironBuilder(headers={"Accept-Language": sent}).get_environ())
    print(f"Werkzeug {version('werkzeug')}: {sent} -> {request.accept_languages.best_match(pages)}")
PYTHON
done
diff "$folder/found" - <<'EXPECTED' || { echo "the behaviour has changed" >&2; exit 1; }
Werkzeug 3.0.6: fr-CA -> fr
Werkzeug 3.0.6: fr-CA, en;q=0.5 -> en
Werkzeug 3.0.6: fr-CA, en;q=0.001 -> en
Werkzeug 3.0.6: fr-CA, fr;q=0.9, en;q=0.5 -> fr
Werkzeug 3.1.9: fr-CA -> fr
Werkzeug 3.1.9: fr-CA, en;q=0.5 -> en
Werkzeug 3.1.9: fr-CA, en;q=0.001 -> en
Werkzeug 3.1.9: fr-CA, fr;q=0.9, en;q=0.5 -> fr
EXPECTED
