"""Messages with sample data, to view before any is sent.

::

    @mail.preview ── preview ── Sample ── rendering ─┬─ app/no_sending   nothing is sent
                                                     ├─ database         nothing is stored
                                                     └─ lint             what a reader would find
                                             │
                                          Rendered ── pages/previews: a page, files, a test
"""
