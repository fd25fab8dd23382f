"""The queue: messages that wait to be sent, and what became of the others.

::

    views            the list, one message, and what can be done with it
    api              the same as JSON, for end-to-end tests
    search_terms     the search field
    queued_message   a row of the queue, read for display
"""
