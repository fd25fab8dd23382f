"""Mails as Jinja templates.

::

    mail.render("mail/welcome", {"user": user}, locale="de", to=...)
      |
      | language     de_AT, de, none; and Flask-Babel speaks it
      | lookup       welcome.de.html, welcome.de.txt
      | unprinted    refuses a block that nothing prints
      v
    templates      of the app's own loader
      |
      | environments the app's filters and globals; escaped by part, nothing undefined
      | urls         url_for, from MAIL_BASE_URL
      | images       mail_image
      | blocks       subject, preheader, html, text
      | markdown     welcome.md -> HTML in a layout
      v
    parts          subject, HTML, text
      |
      | dead_links   refuses what leads nowhere
      | css          from <style> into style="": moving, page, matching, plan, cascade, stylesheet
      v
    Message
"""

from __future__ import annotations

from ..message.origin import origin_of
from .render import render

__all__ = ["origin_of", "render"]
