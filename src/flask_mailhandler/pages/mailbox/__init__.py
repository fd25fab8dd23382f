"""The mailbox: messages that were sent, in the folder that :class:`.FileEmailHandler` writes.

::

    views    the list, and one message
    api      the same as JSON, for end-to-end tests
    search   the search field
    store    the folder with its messages
"""
