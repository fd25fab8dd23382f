"""A message: words, as their writer knows them.

::

    message       Message: a frozen value; replace() makes another one
    fields        what may be given for each field, and what it is read as
    attached      messages that are attached (RFC 2046 section 5.2)
    content_ids   names of the parts of one message (RFC 2392)
    json_form     to_json(), from_json()
    other_names   what other libraries call a field, for errors
"""
