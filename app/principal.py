"""Who asks, and what that one may do. Every use case asks here first; whatever is not allowed is refused."""

from datetime import datetime
from enum import Enum

import msgspec

from app.domain.ids import device_key
from app.domain.tenant import Role, Scope, only
from app.errors import ForbiddenError, UnauthenticatedError, bad_field


class PrincipalKind(Enum):
    PERSON = "person"
    API_KEY = "api_key"
    DEVICE = "device"
    ANONYMOUS = "anonymous"


class Principal(msgspec.Struct, frozen=True):
    """A caller. `tenant_ids` None is every tenant (a super admin).

    `device_keys` is set for a device and for an API key that is limited to devices: ids over all tenants.
    """

    kind: PrincipalKind
    id: str
    role: Role | None
    tenant_ids: frozenset[str] | None
    device_keys: frozenset[str] | None = None
    email: str | None = None
    expires_at: datetime | None = None
    ip: str | None = None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_ids)

    def covers(self, tenant_id: str) -> bool:
        return self.tenant_ids is None or tenant_id in self.tenant_ids

    def may_beat_for(self, tenant_id: str, device_id: str) -> bool:
        return self.device_keys is None or device_key(tenant_id, device_id) in self.device_keys


ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "anonymous", None, frozenset())


def require_role(principal: Principal, role: Role) -> None:
    """Raises UnauthenticatedError for nobody, ForbiddenError for a device and for a role that is too low."""
    if principal.kind is PrincipalKind.ANONYMOUS:
        raise UnauthenticatedError("sign in first: no valid token came with this call")
    if principal.role is None or not principal.role.covers(role):
        has = principal.role.name if principal.role else principal.kind.name
        raise ForbiddenError(f"this needs the role {role.name}; the caller is {has}")


def require_tenant(principal: Principal, tenant_id: str) -> None:
    if not principal.scope.covers(tenant_id):
        raise ForbiddenError(f"tenant {tenant_id!r} is not one of the caller's")


def read_scope(principal: Principal, tenant_id: str | None, role: Role = Role.VIEWER) -> Scope:
    """What a read covers: the tenant asked for, or all of the caller's. A program limited to devices reads nothing here."""
    require_role(principal, role)
    if principal.device_keys is not None:
        raise ForbiddenError("this key is limited to its devices")
    if tenant_id is None:
        return principal.scope
    require_tenant(principal, tenant_id)
    return only(tenant_id)


def write_tenant(principal: Principal, tenant_id: str | None, role: Role, path: str = "tenantId") -> str:
    """The one tenant that a write is for.

    Raises BadInputError, for the field at `path`, where it is left out and the caller has not exactly one.
    """
    require_role(principal, role)
    if principal.device_keys is not None:
        raise ForbiddenError("this key is limited to its devices")
    if tenant_id is not None:
        require_tenant(principal, tenant_id)
        return tenant_id
    if principal.tenant_ids is None or len(principal.tenant_ids) != 1:
        raise bad_field(path, "say which tenant: the caller does not have exactly one")
    return next(iter(principal.tenant_ids))


def require_person(principal: Principal) -> str:
    """The id of a person. Programs and devices have no preferences and read no notifications: they are refused."""
    if principal.kind in (PrincipalKind.DEVICE, PrincipalKind.API_KEY):
        raise ForbiddenError(f"this is a person's own; the caller is {principal.kind.name}")
    require_role(principal, Role.VIEWER)
    return principal.id


def require_super_admin(principal: Principal) -> None:
    require_role(principal, Role.SUPER_ADMIN)
