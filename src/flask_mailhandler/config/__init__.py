"""How a setting is read: from a keyword argument, a key or a URL to a checked value.

::

    port=587                                 keyword argument ─┐
    app.config["MAIL_PORT"] = "587"          MAIL_* key        ├─ Option ── reader ──▶ 587
    MAIL_URL = "smtp://host:587"             URL              ─┘

    option       Option: one field of a handler, with all that is known about a setting
    readers      text, secret, boolean, integer, seconds, ...: from a given value to a checked one
    url          MAIL_URL
    named_class  a class that a setting names: 'smtp', an entry point, 'package.module:Class'

This folder does not know which keys exist: handlers declare theirs, and ``app/`` reads them.
"""

from __future__ import annotations

from .option import key as key
from .option import Option as Option
from .option import options as options
from .option import read as read
from .readers import address as address
from .readers import addresses as addresses
from .readers import allowed as allowed
from .readers import anything as anything
from .readers import boolean as boolean
from .readers import choice as choice
from .readers import from_json as from_json
from .readers import instance_of as instance_of
from .readers import integer as integer
from .readers import Limits as Limits
from .readers import path as path
from .readers import rate as rate
from .readers import Reader as Reader
from .readers import seconds as seconds
from .readers import secret as secret
from .readers import split as split
from .readers import text as text
from .readers import token as token
from .url import refuse_url as refuse_url
from .url import SET_MAIL_URL as SET_MAIL_URL
from .url import split_url as split_url
from .url import URL as URL
