"""What Werkzeug and Jinja compile for each app, compiled once for all apps of a test process.

Most tests make an app of their own. Werkzeug compiles two functions for each of its routes, which
takes 14 ms for an app with the pages, and Jinja compiles each page.
"""

from __future__ import annotations

import functools
import typing as t

from jinja2 import BytecodeCache
from jinja2 import Environment
from werkzeug.routing import Rule

from flask_mailhandler.pages import shell

if t.TYPE_CHECKING:
    from types import CodeType

    from jinja2.bccache import Bucket


def keep_compiled() -> None:
    """Keep what is compiled for as long as this process lives."""
    _keep_routes()
    cached = functools.partial(Environment, bytecode_cache=_CompiledPages())
    t.cast("t.Any", shell).Environment = cached


def _keep_routes() -> None:
    compile_builder: t.Any = getattr(Rule, "_compile_builder", None)
    if compile_builder is None:  # Another Werkzeug, which compiles them in another way.
        return
    compiled: dict[tuple[object, ...], t.Any] = {}

    def kept(rule: Rule, append_unknown: bool = True) -> t.Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        # The function reads all else from the rule that it is bound to.
        key = (rule.rule, *rule._trace, append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    t.cast("t.Any", Rule)._compile_builder = kept


class _CompiledPages(BytecodeCache):
    """The templates of the pages, which all have the same environment."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._compiled[bucket.key, bucket.checksum] = bucket.code
