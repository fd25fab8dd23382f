"""Previews to be looked at, on a page beside the mailbox or in files, and to be tested.

::

    previews ── render ─┬─ pages    /_mail/previews/
                        ├─ export   flask mail preview --export DIR
                        └─ items    pytest --mail-previews
                 tree, panel  what the first two show
"""
