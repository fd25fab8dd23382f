"""The mailbox: what was sent, over the folder that :class:`.FileEmailHandler` writes.

::

    views ── search ── store      the list
             opened ── store      a message
    api                           the same for tests
"""
