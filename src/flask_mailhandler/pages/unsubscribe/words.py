"""What the page says, in several languages."""

from __future__ import annotations

import typing as t


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
LANGUAGES = tuple(_ALL)
"""English first: the language of a reader who speaks none of the others."""


def words_in(locale: str) -> Words:
    """Return the words in a language such as ``de_AT``; in English if there are none."""
    return _ALL.get(locale.partition("_")[0].lower(), _ALL["en"])
