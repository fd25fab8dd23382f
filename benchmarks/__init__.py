"""The cost of writing and sending mail, compared with other libraries.

Run ``python -m benchmarks``, or ``make bench``.

::

    cases          a mail, as the arguments for every library
    corpus         the twelve kinds of mail, and what is promised for each
    compose        each library's message
    peers          how each library writes a mail, as a function that returns octets
    senders        how each library sends one mail, and many
    nodemailer     the library that is not Python, in its own process
    agreement      whether the written or received mail matches the case
    servers        the servers that the mails are sent to
    sink           our own fast server
    delay          a proxy that adds delay to a server
    program        our own processes, and how to query them
    rendering      the time to write a mail
    memory         the memory to write a mail
    templates      the time from a template, compared with Jinja, css-inline and the writer
    queueing       the time that the queue needs for a message
    mailbox        the time of the page of a full mailbox
    imports        the time and the modules of an import
    first_mail     time and memory from the import to the first accepted mail
    fresh          the environment of processes that are measured from their start
    sending_one    the time that a view waits for one mail
    sending_many   a list of mails in one call
    sending_wide   one mail to many people
    sending_large  a large attachment, from the fields to the server's reply
    against        this build compared with an earlier one
    build          one build, in its own process
    table          results as a reStructuredText table
    targets        what is promised, and whether a run kept it
"""
