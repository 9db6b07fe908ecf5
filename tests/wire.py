"""Asking the schema as a person would, without a socket between."""

from typing import Any

from app.context import Context
from app.principal import Principal
from app.realtime.hub import Hub
from schema.alerts import alert
from schema.build import build_schema
from schema.context import OperationContext
from schema.errors import ErrorPresenter


async def answer(context: Context, principal: Principal, document: str, **variables: Any) -> dict[str, Any]:
    """`data`, and `errors` as the presenter shows them."""
    operation = OperationContext(context, principal, Hub(context), alert)
    result = await build_schema().execute(document, variable_values=variables, context_value=operation)
    return {"data": result.data, "errors": ErrorPresenter().present_all(result.errors or [])}


async def ask(context: Context, principal: Principal, document: str, **variables: Any) -> Any:
    """`data` of an operation that goes well."""
    answered = await answer(context, principal, document, **variables)
    assert answered["errors"] == []
    return answered["data"]


async def refusal(context: Context, principal: Principal, document: str, **variables: Any) -> tuple[str, list[str]]:
    """The code of the one error of an operation that goes wrong, and the bad fields that it names."""
    errors = (await answer(context, principal, document, **variables))["errors"]
    assert len(errors) == 1
    extensions = errors[0]["extensions"]
    return extensions["code"], [field["path"] for field in extensions.get("fields", [])]
