"""``python -m flask_mailhandler``: the commands of ``flask mail``, without an app."""

from __future__ import annotations

from .cli import alone

if __name__ == "__main__":
    alone()(prog_name="python -m flask_mailhandler")
