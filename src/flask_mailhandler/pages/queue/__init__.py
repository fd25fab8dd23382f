"""What waits to be sent, and what became of it.

::

    views ── search_terms ── mail.queue    the list, one message, what is done to it
             shown ───────── row           what people see of it
    api                                    the same for tests
"""
