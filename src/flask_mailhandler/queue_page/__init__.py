"""What waits to be sent, and what became of it, on a page beside the mailbox.

::

    request ── guard ─┬─ pages ── choice ── mail.queue    the list, one message, what is done to it
      (of the mailbox)│           shown  ── row           what people see of it
                      └─ api                              the same for tests
"""
