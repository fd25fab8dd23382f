"""What a provider says of messages in a request to the app, with one file for each provider.

::

    Call ── its source is proven? ──▶ fields ──▶ Event
             └ no: WebhookError        └ not of a message: nothing

::

    call      Call: a request, and what proves its source; WebhookError
    formats   the providers by name, and what each needs to prove its requests
    fields    JSON from outside: values of the expected type, or none
    facts     an event from the values of a provider
    own_ids   what we send along, so that the provider returns it
    basic     basic authentication, for a provider that signs nothing
    sns       messages of Amazon SNS: signature, certificate, subscription

    brevo     batched or single, not signed
    mailgun   the signature covers a token, and not the event
    postmark  not signed
    resend    signed as Svix and Standard Webhooks do
    sendgrid  batched, signed with ECDSA
    ses       through SNS
"""
