"""How many texts of an SMS a text is: what it costs."""

from dataclasses import dataclass
from math import ceil

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Each takes the room of two."""


@dataclass(frozen=True, slots=True)
class Length:
    """`characters` as they are billed: in the alphabet GSM-7, or in UCS-2 where one sign is outside of that."""

    characters: int
    segments: int
    alphabet: str


def length_of(text: str) -> Length:
    if _BASIC.union(_EXTENDED).issuperset(text):
        return _length(sum(2 if sign in _EXTENDED else 1 for sign in text), "GSM-7", 160, 153)
    return _length(len(text.encode("utf-16-le")) // 2, "UCS-2", 70, 67)


def _length(characters: int, alphabet: str, alone: int, of_several: int) -> Length:
    """Where there are several, a part of each says which it is."""
    return Length(characters, 1 if characters <= alone else ceil(characters / of_several), alphabet)
