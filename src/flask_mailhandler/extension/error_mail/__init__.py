"""Errors by mail: one mail for a kind of error, then digests that count it.

::

    a log record, in the request                       in a thread
      |                                                  |
      | handler    the logging.Handler                   | courier     the thread
      | kind       what the same errors have in common   | composing   the message
      | captured   copies of what the request knows      | masking     without secrets
      | request    the same, of the request itself       | delivery    the queue, or a server
      v                                                  v
    counts ──────────── desk, one for each app ────────▶ the mail, or a line on stderr

    options     the arguments of Mail.error_handler, checked
    counts      how often each kind was seen, and when the next mail may go
    frames      writes the frames that were captured
    stderr      where errors go that must not be mailed
    samples     the preview
"""
