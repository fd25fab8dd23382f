"""Access tokens for ``MAIL_OAUTH_TOKEN``.

::

    token       OAuthToken: asked for, kept, and renewed in time
    endpoint    one request to a token endpoint (RFC 6749 section 3.2)
"""
