"""Compare the reader of notifications with two public collections of them.

They are not part of the project. Fetch them, and name their folders::

    python tests/tools/bounces.py --sisimai set-of-emails rb-sisimai --flufl flufl_bounce-6.0.0

The goals are those of the standard form (RFC 3464): 99 % of Sisimai's samples have the right number
of recipients and 97 % the right statuses; of flufl.bounce's samples all have the right recipients.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from pathlib import Path

from flask_mailhandler.events.delivery_status import MEDIA_TYPES
from flask_mailhandler.events.event import Event
from flask_mailhandler.events.kinds import EventKind
from flask_mailhandler.events.parts import parts_of

_ENTRY = re.compile(r"'(\d\d+)' => (\[\[.*?\]\]),?\s*(?:#.*)?$", re.M | re.S)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sisimai", nargs=2, type=Path, metavar=("EMAILS", "RUBY"))
    parser.add_argument("--flufl", type=Path, metavar="SDIST")
    parser.add_argument("--show", action="store_true", help="print each difference")
    given = parser.parse_args()
    kept = True
    if given.sisimai:
        emails, ruby = given.sisimai
        kept &= sisimai(emails, ruby, given.show)
    if given.flufl:
        kept &= flufl(given.flufl, given.show)
    return int(not kept)


def sisimai(emails: Path, ruby: Path, show: bool) -> bool:
    count: Counter[str] = Counter()
    for path in sorted((emails / "maildir" / "bsd").glob("*.eml")):
        name, _, number = path.stem.rpartition("-")
        expected = _expected(ruby / "test" / "public" / f"{name}.rb").get(number)
        if expected is None:
            continue
        octets = path.read_bytes()
        found = Event.parse(octets)
        form = _form(octets)
        count[form] += 1
        right = len(found) == len(expected)
        # Sisimai's own codes, such as 5.0.947, stand for a reason and not for a status.
        pairs = zip(found, expected, strict=False)
        statuses = [event.status for event in found]
        same = right and all(
            event.status == status or re.search(r"\.9\d\d$", status) for event, status in pairs
        )
        count[f"{form}, recipients"] += right
        count[f"{form}, statuses"] += same
        if show and not same:
            print(f"{path.name} ({form}): {statuses} instead of {expected}")
    for form in ("standard", "complaint", "text"):
        whole = count[form]
        print(
            f"sisimai, {form}: {count[f'{form}, recipients']} of {whole} right by recipients,"
            f" {count[f'{form}, statuses']} by statuses"
        )
    whole = count["standard"]
    return (
        count["standard, recipients"] >= 0.99 * whole
        and count["standard, statuses"] >= 0.97 * whole
    )


def _expected(path: Path) -> dict[str, list[str]]:
    if not path.exists():
        return {}
    found = {}
    for number, rows in _ENTRY.findall(path.read_text()):
        rows = re.sub(r"#.*", "", rows).replace("true", "True").replace("false", "False")
        found[number] = [row[0] for row in ast.literal_eval(rows)]
    return found


def _form(octets: bytes) -> str:
    kinds = {part.media_type for part in parts_of(octets)[1]}
    if kinds & MEDIA_TYPES:
        return "standard"
    return "complaint" if "message/feedback-report" in kinds else "text"


def flufl(folder: Path, show: bool) -> bool:
    """Each row of its table of detectors names a file and the addresses in it."""
    source = (folder / "tests" / "test_detectors.py").read_text()
    table = next(
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DETECTORS"
    )
    expected: dict[str, tuple[set[str], bool]] = {}
    for _, name, addresses, temporary in ast.literal_eval(table):
        before, _ = expected.get(name, (set(), False))
        expected[name] = (before | {one.decode() for one in addresses}, temporary)
    count: Counter[str] = Counter()
    for name, (addresses, temporary) in sorted(expected.items()):
        octets = (folder / "tests" / "data" / name).read_bytes()
        kind = EventKind.DEFERRED if temporary else EventKind.BOUNCED
        found = {
            event.recipient.lower()
            for event in Event.parse(octets)
            if event.kind is kind and event.recipient
        }
        form = _form(octets)
        count[form] += 1
        same = found == {one.lower() for one in addresses}
        count[f"{form}, right"] += same
        if show and not same:
            print(f"{name} ({form}): {sorted(found)} instead of {sorted(addresses)}, {kind}")
    for form in ("standard", "text"):
        print(f"flufl.bounce, {form}: {count[f'{form}, right']} of {count[form]} right")
    return count["standard, right"] == count["standard"]


if __name__ == "__main__":
    sys.exit(main())
