"""What a provider posts of a captured message, signed as the provider signs it.

::

    told     Told: what happened to a message; Posted: the requests that say so
    makers   the providers by name

    brevo, mailgun, postmark, resend, sendgrid, ses    one file for each provider
"""
