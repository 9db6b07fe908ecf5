"""Who may send what devices say: devices for themselves, people and programs with OPERATOR, and anyone where doors are open."""

from app.context import Context
from app.domain.tenant import Role, Tenant
from app.errors import ForbiddenError, UnauthenticatedError
from app.principal import Principal, PrincipalKind


def require_sender(context: Context, principal: Principal, what: str) -> None:
    """`what` is what is sent, in the plural. Without a token one may send only where `DEVICE_AUTH` is off."""
    if principal.kind is PrincipalKind.ANONYMOUS:
        if context.settings.device_auth == "on":
            raise no_token(what)
        return
    if principal.kind is not PrincipalKind.DEVICE and (principal.role is None or not principal.role.covers(Role.OPERATOR)):
        raise ForbiddenError(f"sending {what} needs a device's token or the role OPERATOR")


def require_open_door(principal: Principal, tenant: Tenant | None, what: str) -> None:
    """Without a token one may send for a tenant that has switched `deviceAuth` off, and for no other."""
    # A tenant that does not exist is told nothing more than one that is not open.
    if principal.kind is PrincipalKind.ANONYMOUS and (tenant is None or tenant.device_auth):
        raise no_token(what)


def no_token(what: str) -> UnauthenticatedError:
    return UnauthenticatedError(f"{what} need the device's token: `Authorization: Device <token>`")


def own_tenant(principal: Principal) -> str | None:
    """The caller's tenant, where there is exactly one."""
    if principal.tenant_ids is not None and len(principal.tenant_ids) == 1:
        return next(iter(principal.tenant_ids))
    return None
