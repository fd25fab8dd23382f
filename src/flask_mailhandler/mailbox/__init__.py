"""A page that shows what has been sent, over the folder that :class:`.FileEmailHandler` writes.

::

    request ── guard ─┬─ pages ── search ── store      the list
                      │           opened ── store      a message
                      └─ api                           the same for tests
                 shell   template and headers of every answer

Whoever wrote a message may want to harm who looks at it, and any site that a developer visits may
want to read it. So every answer is locked by headers, a message's HTML runs in a frame that may do
nothing, and nothing of a message names a file.
"""
