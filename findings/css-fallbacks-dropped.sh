#!/usr/bin/env bash
# An HTML mail gives a property twice: "background: #336699; background: linear-gradient(...)". A client that does not
# know the second value, such as Outlook, uses the first. One guesses that a program which moves the CSS of a mail into
# style="" keeps both, because it is written for mail. css-inline and premailer keep the last one only, without a
# warning, so white text on a gradient has no background there, and a width of calc() is no width. premailer also
# copies it into the attribute width="calc(100% - 10px)", which HTML does not allow. juice, for Node.js, keeps both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check css-inline==0.24.0 premailer==3.10.0
npm install --silent --no-audit --no-fund --prefix "$folder" juice@11.1.1 >/dev/null
cat >"$folder/mail.html" <<'HTML'
<html><head><style>
.a { background: #336699; background: linear-gradient(#336699, #113355); width: 300px; width: calc(100% - 10px) }
</style></head><body><p class="a">Hi</p></body></html>
HTML
cd "$folder"
node -e '
const juice = require("juice")
console.log(juice(require("fs").readFileSync("mail.html", "utf8")))
' >juice.html
venv/bin/python - <<'PYTHON'
import json
import logging
import pathlib
import re
from importlib.metadata import version

import css_inline
import premailer

html = pathlib.Path("mail.html").read_text()
juice = json.loads(pathlib.Path("node_modules/juice/package.json").read_text())["version"]
made = {
    f"juice {juice}": pathlib.Path("juice.html").read_text(),
    f"css-inline {version('css-inline')}": css_inline.inline(html),
    f"premailer {version('premailer')}": premailer.transform(html, cssutils_logging_level=logging.CRITICAL),
}
kept = []
for name, result in made.items():
    tag = re.search(r'<p [^>]*>', result)[0]
    kept.append(("#336699;" in tag, "300px" in tag, "calc(" in tag))
    print(f"{name}: {tag}")
assert kept == [(True, True, True), (False, False, True), (False, False, True)], "the behaviour has changed"
assert 'width="calc(100% - 10px)"' in made[f"premailer {version('premailer')}"], "premailer has changed"
PYTHON
