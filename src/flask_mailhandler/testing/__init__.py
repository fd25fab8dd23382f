"""What tests ask of captured mail, and the server that lets it fail.

::

    criteria      which of the captured messages are meant
    codes         one-time codes in a text
    element       the elements of an HTML part
    script        what is to go wrong, and how often
    server        a real server in a thread, which plays the script
    failing       sending to it, where mail is captured in memory
"""
