"""The URLs to which providers post what becomes of messages.

::

    register     the blueprint with the URLs
    views        the request in an app of Flask
    quart_views  the request in an app of Quart
    answer       what is done with it in both: the secret, the source, the events
    fetching     what Amazon SNS asks to be fetched: certificates, and its confirmation
"""
