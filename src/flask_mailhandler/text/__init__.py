"""Text from outside, checked before it stands in a header, an address, a file name or a command.

::

    checks      check_text, plain, shorten: what may stand in one line
    invisible   characters that make another address of one that looks the same
    lines       how long a line may be (RFC 5322 section 2.1.1)
    charset     octets as text, by a charset that anybody has named
    decoding    encoded words, read as text (RFC 2047)
"""
