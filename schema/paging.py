"""Pages on the wire."""

from datetime import datetime
from typing import Any

import strawberry

from app.domain.page import Page
from app.errors import bad_field
from schema.scalars import Cursor


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: Cursor | None
    end_cursor: Cursor | None


@strawberry.type
class Count:
    key: str
    count: int


@strawberry.input
class TimeRange:
    from_: datetime = strawberry.field(name="from")
    to: datetime

    def checked(self, path: str) -> tuple[datetime, datetime]:
        if self.from_ >= self.to:
            raise bad_field(path, "must begin before it ends")
        return self.from_, self.to


def page_info(page: Page[Any], after: str | None) -> PageInfo:
    cursors = [Cursor(cursor) for cursor in page.cursors]
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
