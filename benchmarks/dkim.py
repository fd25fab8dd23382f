"""The time and the memory to sign a message with DKIM.

All signers get the same message with the same RSA key of 2048 bits, and take turns. dkimpy and
Nodemailer get its octets. Flask-MailHandler gets the content that its handler would send; a row
shows the file that is attached from a path, which is read and encoded meanwhile. Before the time is
measured, dkimpy verifies the signature of each.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import random
import statistics
import tempfile
import time
import tracemalloc
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from .nodemailer import missing
from .nodemailer import NODE
from .peers import OURS
from .program import Program
from .table import table
from .targets import Target

if t.TYPE_CHECKING:
    from flask_mailhandler import Content
    from flask_mailhandler.mime.dkim.key import Key

_HERE = Path(__file__).parent
_MEGABYTES = 25
_SELECTOR, _DOMAIN = "bench", "example.com"
FROM_PATH = f"{OURS}, from a path"
DKIMPY = "dkimpy"
# Signs a number of times, and returns the seconds.
Timed = Callable[[int], float]
# The approximate seconds of a turn.
_TURN = 0.02


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: The number of turns of each signer with the small message.
    """
    from flask_mailhandler.mime.dkim.key import new_key

    key, pem = new_key(_SELECTOR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.pdf"
        path.write_bytes(random.Random(1).randbytes(_MEGABYTES * 10**6))
        small, large = _content(None), _content(path)
        found = {}
        with _signers(key, pem.octets(), small) as signers:
            found["2 kB"] = _measure(signers, rounds)
        with _signers(key, pem.octets(), large) as signers:
            found[f"{_MEGABYTES} MB"] = _measure(signers, max(rounds // 10, 5))
        peak = _peak(large, key)
    names = dict.fromkeys(name for column in found.values() for name in column)
    rows = [[name, *(_shown(column.get(name)) for column in found.values())] for name in names]
    print("\nMilliseconds to sign with RSA, 2048 bits:\n")
    print(table(["signer", *found], rows))
    print(f"\nSigning the {_MEGABYTES} MB from a path allocates {peak / 1024:,.0f} KiB.")
    return [*_targets(*found.values()), Target("signing 25 MB", peak / 2**20, "MiB", most=4)]


def _content(path: Path | None) -> Content:
    from flask_mailhandler import Attachment
    from flask_mailhandler import Message
    from flask_mailhandler.mime import render

    files = [Attachment.from_path(path, mimetype="application/pdf")] if path else []
    return render(
        Message(
            subject="Your order",
            text="Your order will be with you in two or three days.\n" * 34,
            from_addr=f"shop@{_DOMAIN}",
            to="ann@example.org",
            attachments=files,
        )
    )


@contextlib.contextmanager
def _signers(key: Key, pem: bytes, content: Content) -> Iterator[dict[str, Timed]]:
    """Yield a function that times each signer, and check what each has signed."""
    import dkim

    from flask_mailhandler import Content
    from flask_mailhandler.mime.dkim import sign

    octets = bytes(content)
    # In pieces, as a handler gets it, but from memory.
    pieces = Content(octets if len(octets) < 1 << 16 else [*content])
    sign_by_dkimpy = functools.partial(
        dkim.sign,
        selector=_SELECTOR.encode(),
        domain=_DOMAIN.encode(),
        privkey=pem,
        canonicalize=(b"relaxed", b"relaxed"),
    )
    with contextlib.ExitStack() as stack:
        signers: dict[str, Timed] = {OURS: _timed(lambda: sign(pieces, [key], _DOMAIN))}
        signed = [bytes(sign(pieces, [key], _DOMAIN)), sign_by_dkimpy(octets) + octets]
        if len(octets) > 1 << 16:
            signers[FROM_PATH] = _timed(lambda: sign(content, [key], _DOMAIN))
            signed.append(bytes(sign(content, [key], _DOMAIN)))
        signers[DKIMPY] = _timed(lambda: sign_by_dkimpy(octets))
        if why := missing():
            print(f"Without Nodemailer: {why}.")
        else:
            node = stack.enter_context(Program("node", "dkim.mjs", folder=_HERE))
            loaded = {"key": pem.decode(), "domain": _DOMAIN, "selector": _SELECTOR}
            node.ask({"load": {"octets": base64.b64encode(octets).decode("ascii"), **loaded}})
            signed.append(base64.b64decode(node.ask({"sign": True})["octets"]))
            signers[NODE] = lambda times: float(node.ask({"times": times})["seconds"])
        for one in signed:
            assert dkim.verify(one, dnsfunc=lambda *_, **__: key.record.encode()), one[:2000]
        yield signers


def _timed(act: Callable[[], object]) -> Timed:
    def measure(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            act()
        return time.perf_counter() - start

    return measure


def _measure(signers: dict[str, Timed], rounds: int) -> dict[str, float]:
    """Return the median seconds of each signer. They take turns."""
    numbers = {name: max(int(_TURN / timed(1)), 1) for name, timed in signers.items()}
    turns: dict[str, list[float]] = {name: [] for name in signers}
    for _ in range(rounds):
        for name, timed in signers.items():
            turns[name].append(timed(numbers[name]) / numbers[name])
    return {name: statistics.median(found) for name, found in turns.items()}


def _peak(content: Content, key: Key) -> int:
    """Return the octets that Python allocates to sign a content."""
    from flask_mailhandler.mime.dkim import sign

    tracemalloc.start()
    try:
        sign(content, [key], _DOMAIN)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _shown(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:,.2f}"


def _targets(small: dict[str, float], large: dict[str, float]) -> Iterator[Target]:
    for size, found, most in (("2 kB", small, 0.1), ("25 MB", large, 0.05)):
        for peer, bound in ((DKIMPY, most), (NODE, 0.5)):
            if peer in found:
                what = f"signing {size} against {peer}"
                yield Target(what, found[OURS] / found[peer], "of its time", most=bound)
