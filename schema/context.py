"""What the resolvers of one operation share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import strawberry

from app.context import Context
from app.domain.alert import Alert
from app.principal import Principal
from app.realtime.audience import ALONE, Post
from app.realtime.hub import Hub
from schema.loaders import Loaders

ShowAlert = Callable[[Alert], Any]
"""From an alert as it is kept to its type of the schema: devices show alerts, and alerts show devices."""


@dataclass(slots=True)
class OperationContext:
    """Made for each operation: its loaders must not outlive it, or they would show what was."""

    context: Context
    principal: Principal
    hub: Hub
    show_alert: ShowAlert
    _loaders: Loaders | None = field(default=None, init=False)
    post: Post = ALONE
    """Of a stream that is shared with others, or may be."""

    resume_from: str | None = None
    """The cursor at which a subscriber goes on who was told by others meanwhile; it wins over `after`."""

    @property
    def loaders(self) -> Loaders:
        """Made when first asked for: most operations load nothing."""
        if self._loaders is None:
            self._loaders = Loaders(self.context, self.principal)
        return self._loaders


Info = strawberry.Info[OperationContext, None]
