"""The page on which a recipient leaves a list (RFC 8058).

::

    views    the page: GET shows a button, POST ends the subscription
    words    what it says, in several languages
    provider the POST of a mailbox provider, within this process
"""
