"""The queue: messages that wait to be sent, and what became of the others.

::

    views            the list, one message, and what can be done with it
    listing          the list: a page of the search, and links to the others
    export           the messages of a search as CSV
    rights           what the user of a request may see and do
    production       a blueprint with the pages for production, behind the app's own login
    api              the same as JSON, for end-to-end tests
    search_terms     the search field
    time_range       the ranges of times in it
    queued_message   a row of the queue, read for display
"""
