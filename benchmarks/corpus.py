"""The kinds of mail that are rendered, and what is promised for each.

A promise holds for all kinds of its group, so it is measured by the worst of them. A row of the
table at the end is one kind: its mail, and the group that it belongs to.
"""

from __future__ import annotations

import dataclasses
import random

from .cases import BOTH
from .cases import Case
from .cases import File
from .cases import SMALL

# How many times as long the quickest other library in Python takes, at least.
PROMISED = {
    "a small text": 4,
    "ASCII text, headers beyond ASCII": 8,
    "a few letters beyond ASCII": 8,
    "wholly another script": 8,
    "50 kB beyond ASCII": 4,
    "20 recipients with names": 8,
    "one attachment of 1 kB": 8,
    "many small parts": 8,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of mail.

    :param promise: The promise that it belongs to, a key of :data:`PROMISED`.
    """

    case: Case
    promise: str

    @property
    def name(self) -> str:
        return self.case.name


def _both(name: str, subject: str, greeting: str, line: str, lines: int = 18) -> Case:
    """Return a mail whose text and HTML repeat the same line."""
    text = f"{greeting}\n\n" + f"{line}\n" * (lines * 2 // 3)
    html = (
        '<!doctype html>\n<html>\n<body style="font-family: sans-serif">\n'
        + f"<p>{greeting}</p>\n"
        + f"<p>{line}</p>\n" * lines
        + "</body>\n</html>\n"
    )
    return Case(name, subject, text, html)


# Most letters are ASCII, so quoted-printable is shortest.
_GERMAN = "Ihre Bestellung ist auf dem Weg und wird für Sie in zwei Tagen in Köln sein."
_UMLAUTS = _both("umlauts", "Ihre Bestellung", "Guten Tag, Jörg!", _GERMAN)
_ONE_LETTER = dataclasses.replace(
    BOTH,
    name="one letter",
    text=BOTH.text.replace("Ann", "Zoë"),
    html=BOTH.html.replace("<p>", "<p>Zoë: ", 1),
)
# Each paragraph is a long line.
_SENTENCES = (
    "Votre commande a été préparée par notre équipe et sera livrée à l'adresse indiquée dans deux"
    " ou trois jours ouvrés. Vous recevrez un message dès que le colis aura quitté l'entrepôt, avec"
    " un numéro qui permet de suivre son trajet. Si une pièce vous manque ou n'est pas conforme,"
    " écrivez-nous à cette adresse : nous répondrons très vite."
)
_FRENCH = _both("French", "Votre commande", "Bonjour Zoé,", _SENTENCES, 6)
# Most letters are not, so base64 is shortest.
_CYRILLIC = _both(
    "Cyrillic", "Ваш заказ", "Здравствуйте!", "Ваш заказ отправлен и прибудет через два дня."
)
_GREEK = _both(
    "Greek",
    "Η παραγγελία σας",
    "Καλημέρα σας,",
    "Η παραγγελία σας έφυγε και θα φτάσει σε δύο μέρες.",
)
_CHINESE = _both("Chinese", "您的订单", "您好!", "您的订单已经发出,预计两天之内送达,请您留意查收。")
_LONG = dataclasses.replace(
    _both("HTML of 50 kB", "Ihre Rechnungen", "Guten Tag, Jörg!", _GERMAN, 600),
    text="Siehe HTML.\n",
)
_NAMES = dataclasses.replace(
    BOTH,
    name="names",
    subject="Ihre Bestellung ist unterwegs: Grüße aus Köln – 感謝",
    sender="Jürgen Groß <shop@example.com>",
    recipients=("Zoë Ångström <zoe@example.org>", "Søren Østergård <soren@example.net>"),
)
_TWENTY = dataclasses.replace(
    BOTH,
    name="20 recipients",
    subject="Minutes of the meeting",
    recipients=tuple(f"Member Number{n} <member{n}@example.org>" for n in range(20)),
)
_TWENTY_SHORT = dataclasses.replace(
    _TWENTY,
    name="20, short text",
    text="The minutes of the meeting are on the page of the team: please read them today.\n",
    html="",
)
# Not a comma in an ASCII name: when CPython 3.11.7 folds the field, it leaves out the quotes.
_OTHER_NAMES = ("Zoë Ångström", '"Øster, Søren"', "José Peña", '"Ann Q. Lee"')
_TWENTY_OTHERS = dataclasses.replace(
    _TWENTY,
    name="20, other names",
    recipients=tuple(
        f"{_OTHER_NAMES[n % 4] if n % 5 < 2 else f'Member Number{n}'} <member{n}@example.org>"
        for n in range(20)
    ),
)


def _files(number: int, size: int, kind: str) -> tuple[File, ...]:
    """Return this many files of the same size, the same in each run."""
    data = random.Random(size)
    name, _, ending = kind.partition("/")
    return tuple(File(f"{name}{n}.{ending}", kind, data.randbytes(size)) for n in range(number))


_ONE_FILE = dataclasses.replace(
    BOTH, name="1 attachment", html="", files=_files(1, 1_000, "application/pdf")
)
_MANY_FILES = dataclasses.replace(
    BOTH, name="40 attachments", html="", files=_files(40, 300, "application/pdf")
)
_SHOWN = tuple(
    dataclasses.replace(file, cid=f"image{n}@example.com")
    for n, file in enumerate(_files(10, 2_000, "image/png"))
)
_IMAGES = dataclasses.replace(
    BOTH,
    name="10 images",
    html=BOTH.html + "".join(f'<img src="cid:{file.cid}" alt="A mug">\n' for file in _SHOWN),
    images=_SHOWN,
)

# Kinds of text first, then recipients and parts.
KINDS = (
    Kind(SMALL, "a small text"),
    Kind(BOTH, "ASCII text, headers beyond ASCII"),
    Kind(_ONE_LETTER, "a few letters beyond ASCII"),
    Kind(_UMLAUTS, "a few letters beyond ASCII"),
    Kind(_FRENCH, "a few letters beyond ASCII"),
    Kind(_CYRILLIC, "wholly another script"),
    Kind(_GREEK, "wholly another script"),
    Kind(_CHINESE, "wholly another script"),
    Kind(_LONG, "50 kB beyond ASCII"),
    Kind(_NAMES, "ASCII text, headers beyond ASCII"),
    Kind(_TWENTY, "20 recipients with names"),
    Kind(_TWENTY_SHORT, "20 recipients with names"),
    Kind(_TWENTY_OTHERS, "20 recipients with names"),
    Kind(_ONE_FILE, "one attachment of 1 kB"),
    Kind(_MANY_FILES, "many small parts"),
    Kind(_IMAGES, "many small parts"),
)
