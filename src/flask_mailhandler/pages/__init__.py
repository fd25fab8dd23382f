"""Pages for a browser, in development: the mailbox, the queue, the previews.

::

    request ── access ─┬─ mailbox/    what was sent
                       ├─ queue/      what waits to be sent, and what became of it
                       └─ previews/   messages made from example data
               shell, panel, framed, answers   the form of every answer

    register       the blueprint of an app
    local_server   the mailbox alone, for ``flask mail catch``

Whoever wrote a message may want to harm who looks at it, and any site that a developer visits may
want to read it. So every answer is locked by headers, a message's HTML runs in a frame that may do
nothing, and nothing of a message names a file.
"""
