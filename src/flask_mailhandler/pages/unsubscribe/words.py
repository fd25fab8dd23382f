"""What the page says, in several languages."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable


class Words(t.NamedTuple):
    """The sentences and buttons of the page. ``{address}`` and ``{list}`` are filled in."""

    language: str
    ask: str
    leave: str
    left: str
    rejoin: str
    rejoined: str
    invalid: str


_ALL = {
    words.language: words
    for words in [
        Words(
            "en",
            "{address} receives “{list}”.",
            "Unsubscribe",
            "You are unsubscribed. {address} will not receive “{list}” any more.",
            "Subscribe again",
            "You are subscribed again. {address} will receive “{list}”.",
            "This link is not valid.",
        ),
        Words(
            "de",
            "{address} erhält „{list}“.",
            "Abmelden",
            "Sie sind abgemeldet. {address} erhält „{list}“ nicht mehr.",
            "Wieder anmelden",
            "Sie sind wieder angemeldet. {address} erhält „{list}“.",
            "Dieser Link ist nicht gültig.",
        ),
        Words(
            "es",
            "{address} recibe «{list}».",
            "Cancelar la suscripción",
            "La suscripción está cancelada. {address} ya no recibirá «{list}».",
            "Suscribirse de nuevo",
            "La suscripción está activa de nuevo. {address} recibirá «{list}».",
            "Este enlace no es válido.",
        ),
        Words(
            "fr",
            "{address} reçoit « {list} ».",
            "Se désabonner",
            "Le désabonnement est enregistré. {address} ne recevra plus « {list} ».",
            "Se réabonner",
            "Le réabonnement est enregistré. {address} recevra « {list} ».",
            "Ce lien n’est pas valable.",
        ),
    ]
}


def words_in(locales: Iterable[str]) -> Words:
    """Return the words in the first of these languages that is known, or else in English."""
    languages = (re.split("[-_]", locale)[0].lower() for locale in locales)
    return next((_ALL[language] for language in languages if language in _ALL), _ALL["en"])
