"""A message, as its author writes it.

::

    message       Message: a frozen value; replace() returns a changed copy
    given         one message, or several, as a caller passes them, and what it has for a provider
    arguments     the types of its arguments
    fields        a reader for each field: from a given value to a checked one
    attachments   the readers of attachments, loaded with the first one
    provider_data metadata and options for a provider: checked, and as JSON
    headers       custom header fields: checked names and values
    message_id    making a Message-ID (RFC 5322 section 3.6.4)
    content_ids   Content-IDs of the parts of a message (RFC 2392)
    attached      messages that are attached (RFC 2046 section 5.2)
    template_name the template that a message was rendered from, and its language
    one_click     the place of the link to unsubscribe
    json_form     a message as JSON types, and back
    other_names   names of fields and methods in other libraries, for errors
"""
