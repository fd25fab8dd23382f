"""The previews on pages, in files and in tests.

::

    previews ── render ─┬─ views         /_mail/previews/
                        ├─ export        flask mail preview --export DIR
                        └─ pytest_items  pytest --mail-previews
                 tree, panel  what the first two show
"""
