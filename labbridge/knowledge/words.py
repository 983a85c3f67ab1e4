"""Folding of words, so that a table's spelling meets a sender's: case, accents and punctuation do not count."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """Lower case without accents, spaces made single: `Négatif ` is `negatif`. Signs stay: `(+)`."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(char for char in decomposed if not unicodedata.combining(char)).split())


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Words alone, between blanks, for whole-word search: `EUROLINE (16 Ag)` is ` euroline 16 ag `."""
    words = "".join(char if char.isalnum() else " " for char in plain(text)).split()
    return f" {' '.join(words)} "


def holds(folded: str, word: str) -> bool:
    """Whether folded text holds a folded word or phrase (` line blot `), or a stem (` cytoplasm`: no closing blank)."""
    return word in folded


def pattern(word: str) -> str:
    """A table's word as it is searched for: whole, or as a stem where it ends in `*`."""
    if word.endswith("*"):
        return fold(word[:-1]).rstrip()
    return fold(word)
