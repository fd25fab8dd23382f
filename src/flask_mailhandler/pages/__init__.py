"""Pages for a browser: the mailbox, the queue, the previews, and the one to unsubscribe.

::

    register       the blueprint with the pages of an app
    local_server   the mailbox alone, in a thread, for ``flask mail catch``

    access         which requests may see the pages, and which may change anything
    mailbox/       messages that were sent
    queue/         messages that wait to be sent, and what became of the others; in production too
    previews/      messages made from example data
    unsubscribe/   the page on which a recipient leaves a list, in production too
    webhooks/      what a provider posts of messages, in production too

    displayed      a message, parsed for display within bounds
    panel          the panel that shows one message: its views, frame and files
    framed         the HTML of a message, changed for its frame
    static_files   style sheets, scripts and the icon
    shell          templates, and the headers that protect each response
    answers        responses to programs: JSON and errors
    csrf           pages that need no token of Flask-WTF
    hosts          on which hosts of an app its public pages are
    times          times as the lists show them
    sent_by        the template and the line of code of a message, and what it has for a provider
    static/        style sheets, scripts and the icon
    templates/     Jinja templates

The sender of a message may want to attack the person who looks at it, and any site that a
developer visits may try to read it. So headers protect every response, the HTML of a message runs
in a frame without any rights, and nothing in a message names a file.
"""
