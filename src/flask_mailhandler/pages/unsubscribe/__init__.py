"""The page on which a recipient leaves a list (RFC 8058).

A mailbox provider sends a POST, without cookies and without a user (RFC 8058 section 3.2). A GET
and a HEAD change nothing, because scanners and previews open every link of a mail.

::

    register     the blueprint with the page
    views        the page in an app of Flask
    quart_views  the page in an app of Quart
    answer       what it does and shows in both: GET shows a button, POST ends the subscription
    words        what it says, in several languages
    provider     the POST of a mailbox provider, within this process
"""
