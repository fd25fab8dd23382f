"""Access tokens for ``MAIL_OAUTH_TOKEN``.

::

    current     the token to log in with now
    token       OAuthToken: requests, keeps and renews a token
    endpoint    one request to a token endpoint (RFC 6749 section 3.2)
"""
