"""Finding what people type, whatever its case: one pattern that Python and MongoDB read alike."""

import re


def literal(text: str) -> str:
    """A regular expression that finds `text` as it stands, in any case of its letters.

    Each letter is written with its other cases, since no two libraries agree on what ignoring the case means.
    """
    return "".join(_any_case(character) for character in text)


def _any_case(character: str) -> str:
    forms = {character, character.lower(), character.upper(), character.casefold()}
    cases = sorted(form for form in forms if len(form) == 1)
    if len(cases) > 1:
        return f"[{''.join(cases)}]"
    return "\\x00" if character == "\0" else re.escape(character)
