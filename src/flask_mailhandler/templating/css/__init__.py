"""CSS from ``<style>`` into ``style=""``, which every mail client reads.

::

    inline       the entry: HTML in, HTML out
    document     an HTML document whose tags can be numbered, and whose styles can be replaced
    stylesheet   a style sheet as rules
    matching     which rules apply to which elements
    cascade      which declarations may move, so that each element looks as before
    plan         what moves, for all documents with the same rules and elements
    move         moves the CSS of one document
"""
