"""Text from outside: checked before it is used in a header, an address, a file name or a command.

::

    checks      check_text, plain, shorten: which characters one line may have
    addr_spec   the grammar of an address (RFC 5322 section 3.4.1)
    common_form the forms that most addresses have, read quickly
    late_pattern  regular expressions that are compiled when they are first used
    invisible   characters that are not seen, though they change an address
    colour      colours of CSS, and their contrast
    mimetype    a media type with its parameters (RFC 2045 section 5.1)
    lines       how long a line may be (RFC 5322 section 2.1.1)
    charset     octets as text, decoded by the charset that a message names
    decoding    encoded words as text (RFC 2047)
"""
