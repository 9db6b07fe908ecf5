"""Which fields an operation asks for."""

from collections.abc import Iterable

from strawberry.types.nodes import SelectedField, Selection


def selects(selections: Iterable[Selection], name: str) -> bool:
    """Whether a field of this name is asked for directly below, or in a fragment there."""
    for selection in selections:
        if isinstance(selection, SelectedField):
            if selection.name == name:
                return True
        elif selects(selection.selections, name):
            return True
    return False
