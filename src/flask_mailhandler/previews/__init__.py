"""Messages with sample data, to be looked at before any is sent.

::

    @mail.preview ── preview ── Sample ── rendering ─┬─ guard      nothing is sent
                                                     ├─ database   nothing is kept
                                                     └─ lint       what a reader would find wrong
                                             │
                                          Rendered ── a page, a gallery, a test
"""
