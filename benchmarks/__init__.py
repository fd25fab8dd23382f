"""What it costs to write and to send mail, beside other libraries: ``python -m benchmarks``, or
``make bench``.

::

    cases          the mail that is written
    compose        each library's message
    peers          each library's way to write it, as one function that returns octets
    senders        each library's way to send it, one and many
    nodemailer     the one that is not Python, a process of its own
    agreement      whether what was written or has arrived says the same
    servers        whom it is sent to
    sink           a quick server of our own
    delay          a long line to a server
    program        processes of our own, and how they are asked
    rendering      the time that writing takes
    memory         the memory that it takes
    templates      the time from a template, beside Jinja, css-inline and the writer alone
    queueing       the time that the queue takes for a message
    mailbox        the time of the page of a full mailbox
    imports        the time and the modules of the import
    sending_one    the time that a view waits for one mail
    sending_many   a list of mails in one call
    sending_wide   one mail to many people
    sending_large  a large attachment, from the fields to the server's reply
    table          results as a table of reStructuredText
    targets        what is promised
"""
