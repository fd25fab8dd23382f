#!/usr/bin/env bash
# css-inline moves the rules of <style media="print"> and <style media="(max-width: 600px)"> into style="".
# Rules for print or for phones then apply to every reader, and nested rules are dropped without an error.
# css-inline leaves @media inside a style sheet alone, so you would not expect this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check css-inline==0.24.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from css_inline import CSSInliner

inliner = CSSInliner(load_remote_stylesheets=False, keep_style_tags=True, remove_inlined_selectors=True)


def inline(style: str) -> str:
    html = inliner.inline(f'<!doctype html><html><head>{style}</head><body><p class="x">Hi</p></body></html>')
    print(f"{style}\n    {html}")
    return html


print("css-inline", version("css-inline"))
paper = inline('<style media="print">.x { display: none }</style>')
phone = inline('<style media="(max-width: 600px)">.x { display: none }</style>')
inside = inline("<style>@media print { .x { display: none } }</style>")
nested = inline("<style>.x { color: red; &:hover { color: green } }</style>")
assert 'style="display: none' in paper, "a style sheet for print is no longer moved"
assert 'style="display: none' in phone, "a style sheet for phones is no longer moved"
assert 'style="display' not in inside, "@media is moved"
assert "green" not in nested, "nested rules are no longer dropped"
PYTHON
