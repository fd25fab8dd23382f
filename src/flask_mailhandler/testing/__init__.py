"""Captured mail that a test can question, and an SMTP server that fails on request.

::

    outbox         the list of captured messages: find, wait, fail, event
    captured       one captured message
    api_request    the requests that a provider would get for it
    criteria       what a test asks of a message or a recipient
    notification   a bounce or a complaint about a captured message
    provider_events/  what a provider posts of a captured message
    codes          one-time codes in a text
    element        the elements of an HTML part
    one_click      unsubscribe the recipient of a captured message

    server         an SMTP server in a thread, which follows the script of its outbox
    connection     one client of the server
    script         which steps fail, for which recipients and how often
    login          the server's side of a login
    certificates   a certificate for the server, and its authority
"""
