"""The operations that were compiled, by the text that asks for them."""

from collections import OrderedDict
from typing import Any

import msgspec

from app.context import Context
from app.principal import Principal
from schema.compiled.plan import Plan, compiled
from schema.engine import FleetbeatSchema
from schema.persisted import text_of

MOST = 256
"""Texts that are remembered, with a plan or without; the least recently used is forgotten first."""

LONGEST = 16_384
"""Bytes of a text that is remembered."""

MOST_OPENINGS = 8
"""Beginnings of requests, up to their variables, that are known by sight: what sends beats sends the same one each time."""

_ABSENT = msgspec.Raw(b"")
_OTHER = b'{"other":"variables"}'


class _Request(msgspec.Struct, gc=False):
    """The members of a request as they are written. One that is unknown, or there twice, shows in the count of colons."""

    query: msgspec.Raw = _ABSENT
    variables: msgspec.Raw = _ABSENT
    operation_name: msgspec.Raw = msgspec.field(default=_ABSENT, name="operationName")
    extensions: msgspec.Raw = _ABSENT


_Text = tuple[bytes, bytes, bytes]
"""The query, the operation's name and the extensions of a request, byte for byte."""

_Known = tuple[Plan | None, int]
"""The plan of a text, None where it has none, and the colons of the text and of its members' names."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """An operation with its argument, ready to run."""

    plan: Plan
    argument: Any

    async def run(self, context: Context, principal: Principal) -> bytes:
        """The JSON of `data`. Raises GraphQLError, as the executor would collect it."""
        return await self.plan.run(context, principal, self.argument)


class CompiledOperations:
    """For one schema and one context. Nothing gets in but what the general way has found valid before."""

    def __init__(self, schema: FleetbeatSchema, context: Context) -> None:
        self.context = context
        self.served = 0
        self._schema = schema
        self._known: OrderedDict[_Text, _Known] = OrderedDict()
        self._openings: list[tuple[bytes, Plan]] = []
        self._decoder = msgspec.json.Decoder(_Request)

    def __len__(self) -> int:
        return len(self._known)

    def call(self, body: bytes) -> Call | None:
        """What the body of a request asks for; None where the general way must answer. Nothing has happened yet then."""
        try:
            call = self._call(body)
        except Exception:  # noqa: BLE001 - whatever is wrong, the general way knows how to say it
            return None
        if call is not None:
            self.served += 1
        return call

    def _known_by_sight(self, body: bytes) -> Call | None:
        """Of what begins like requests before it all is known but one value, which the decoder takes whole or not at all."""
        for opening, plan in self._openings:
            # Without anything between it would be no JSON, which a plan without variables cannot see.
            if body.startswith(opening) and body.endswith(b"}") and len(body) > len(opening) + 1:
                try:
                    return Call(plan, plan.argument(body[len(opening) : -1]))
                except Exception:  # noqa: BLE001 - something follows that value, or it is no good one: that is seen in a moment
                    return None
        return None

    def _call(self, body: bytes) -> Call | None:
        if (call := self._known_by_sight(body)) is not None:
            return call
        request = self._decoder.decode(body)
        text = bytes(request.query), bytes(request.operation_name), bytes(request.extensions)
        known = self._known.get(text)
        if known is None:
            known = self._learn(text)
        else:
            self._known.move_to_end(text)
        plan, colons = known
        if plan is None:
            return None
        variables = bytes(request.variables)
        if body.count(b":") != colons + (variables.count(b":") + 1 if variables else 0):
            return None
        call = Call(plan, plan.argument(variables))
        if variables and body.endswith(variables + b"}"):
            self._remember_opening(body[: -len(variables) - 1], text, plan)
        return call

    def _remember_opening(self, opening: bytes, text: _Text, plan: Plan) -> None:
        """If what follows it are the variables, and not another member that is the same as they are."""
        other = self._decoder.decode(opening + _OTHER + b"}")
        members = other.query, other.operation_name, other.extensions, other.variables
        if tuple(map(bytes, members)) == (*text, _OTHER) and len(opening) <= LONGEST:
            self._openings = [(opening, plan), *self._openings[: MOST_OPENINGS - 1]]

    def _learn(self, text: _Text) -> _Known:
        """Compiles what can be compiled, if the general way has executed it. Raises any error where the text is bad."""
        if sum(map(len, text)) > LONGEST:
            return None, 0
        query, operation_name, extensions = (msgspec.json.decode(member) if member else None for member in text)
        document = self._schema.known.get(text_of(query or "", extensions, self._schema.known))
        if document is None:
            return None, 0
        plan = compiled(self._schema, document)
        if plan is not None and operation_name not in (None, plan.operation_name):
            plan = None
        self._known[text] = known = plan, sum(member.count(b":") + 1 for member in text if member)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return known
