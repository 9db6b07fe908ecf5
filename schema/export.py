"""The schema as clients read it."""

from schema.build import build_schema


def sdl() -> str:
    return build_schema().as_str().rstrip() + "\n"
