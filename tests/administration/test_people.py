"""People sign in with a JWT."""

from datetime import timedelta
from typing import Any

import jwt
import pytest

from app.auth import authenticate
from app.clock import ManualClock
from app.context import Context
from app.domain.tenant import EVERY_TENANT, Role, only
from app.errors import UnauthenticatedError
from app.principal import ANONYMOUS, PrincipalKind
from app.store.mongo import connect
from app.tokens import issue_jwt
from tests.cast import NOW, SECRET, bearer, mate, open_test_context, owner, root


async def sign_in(context: Context, authorization: str | None, ip: str | None = None) -> Any:
    return await authenticate(context, authorization, ip)


async def test_a_token_says_who_somebody_is(context: Context) -> None:
    principal = await sign_in(context, bearer(owner), "192.0.2.7")
    assert principal == owner.__class__(
        PrincipalKind.PERSON,
        owner.id,
        Role.ADMIN,
        frozenset({"acme"}),
        email=owner.email,
        expires_at=NOW + timedelta(hours=1),
        ip="192.0.2.7",
    )


async def test_a_super_admin_is_of_every_tenant_whatever_the_token_lists(context: Context) -> None:
    principal = await sign_in(context, bearer(root, tenants=["acme"]))
    assert principal.tenant_ids is None


async def test_nobody_is_anonymous(context: Context) -> None:
    assert await sign_in(context, None) == ANONYMOUS


async def test_the_scheme_is_read_in_any_case(context: Context) -> None:
    assert (await sign_in(context, bearer(owner).replace("Bearer", "bEARER"))).id == owner.id


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"role": "emperor"}, "role"),
        ({"role": None}, "role"),
        ({"sub": ""}, "sub"),
        ({"tenants": None}, "tenants"),
        ({"tenants": "acme"}, "tenants"),
        ({"tenants": ["Not A Slug"]}, "tenants"),
        ({"tenants": ["platform"]}, "platform"),
        ({"email": 7}, "email"),
        ({"exp": "soon"}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": int((NOW - timedelta(seconds=1)).timestamp())}, "expired"),
        ({"exp": int(NOW.timestamp())}, "expired"),
        ({"nbf": int((NOW + timedelta(seconds=6)).timestamp())}, "not valid yet"),
    ],
)
async def test_claims_that_do_not_hold_are_refused(context: Context, claims: dict[str, Any], message: str) -> None:
    with pytest.raises(UnauthenticatedError, match=message):
        await sign_in(context, bearer(owner, **claims))


@pytest.mark.parametrize("missing", ["sub", "exp"])
async def test_a_token_without_a_claim_that_it_needs_is_refused(context: Context, missing: str) -> None:
    claims = {"sub": "olga", "role": "admin", "tenants": ["acme"], "exp": int(NOW.timestamp()) + 60}
    del claims[missing]
    with pytest.raises(UnauthenticatedError, match=missing):
        await sign_in(context, f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}")


async def test_an_issuer_whose_clock_is_a_little_ahead_is_believed(context: Context) -> None:
    soon = int((NOW + timedelta(seconds=4)).timestamp())
    assert (await sign_in(context, bearer(owner, nbf=soon, iat=soon))).id == owner.id


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic b2xnYTpzZWNyZXQ=",
        "Bearer not.a.token",
        "Bearer a b",
        "Bearer " + "x" * 20_000,
        "Bearer \ud800",
    ],
)
async def test_what_is_no_token_is_refused(context: Context, authorization: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await sign_in(context, authorization)


async def test_a_token_of_another_secret_is_refused_and_not_repeated_in_the_message(context: Context) -> None:
    token = jwt.encode({"sub": "olga", "exp": 1e10}, "another secret that is long enough for it", algorithm="HS256")
    with pytest.raises(UnauthenticatedError, match="signature") as refused:
        await sign_in(context, f"Bearer {token}")
    assert token not in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
async def test_the_token_does_not_choose_the_algorithm(context: Context, algorithm: str) -> None:
    key = "" if algorithm == "none" else SECRET * 2
    token = jwt.encode({"sub": "olga", "role": "super_admin", "exp": 4e9}, key, algorithm=algorithm)
    with pytest.raises(UnauthenticatedError, match="algorithm"):
        await sign_in(context, f"Bearer {token}")


async def test_a_known_token_is_refused_from_its_very_expiry_on(context: Context, clock: ManualClock) -> None:
    authorization = bearer(owner, NOW + timedelta(seconds=10))
    await sign_in(context, authorization)
    clock.advance(9.999)
    await sign_in(context, authorization)
    clock.advance(0.001)
    with pytest.raises(UnauthenticatedError, match="expired"):
        await sign_in(context, authorization)


async def test_audience_and_issuer_are_checked_where_they_are_set(mongo_uri: str, redis_url: str, database: str) -> None:
    names: dict[str, Any] = {"jwt_audience": "fleetbeat", "jwt_issuer": "https://id.example.com"}
    unfit: list[dict[str, Any]] = [
        {},
        {"aud": "other", "iss": names["jwt_issuer"]},
        {"aud": "fleetbeat", "iss": "https://evil.example.com"},
    ]
    async with open_test_context(mongo_uri, redis_url, database, **names) as context:
        for claims in unfit:
            with pytest.raises(UnauthenticatedError):
                await sign_in(context, bearer(owner, **claims))
        good = bearer(owner, aud=["x", "fleetbeat"], iss=names["jwt_issuer"])
        assert (await sign_in(context, good)).id == owner.id


async def test_a_token_that_the_command_line_issues_signs_in(context: Context) -> None:
    token = issue_jwt(context.settings, "carl", Role.OPERATOR, ["acme"], timedelta(days=36_500), "carl@example.com")
    principal = await sign_in(context, f"Bearer {token}")
    assert (principal.id, principal.role, principal.email) == ("carl", Role.OPERATOR, "carl@example.com")


async def test_who_signs_in_becomes_a_member_and_is_written_down_once_a_minute(context: Context, clock: ManualClock) -> None:
    await sign_in(context, bearer(mate))
    clock.advance(59)
    await sign_in(context, bearer(mate))
    assert [(member.id, member.last_seen) for member in await context.store.members.list(only("acme"))] == [(mate.id, NOW)]
    clock.advance(1)
    await sign_in(context, bearer(mate))
    assert [member.last_seen for member in await context.store.members.list(EVERY_TENANT)] == [NOW + timedelta(seconds=60)]


async def test_a_call_does_not_fail_because_its_caller_cannot_be_written_down(context: Context) -> None:
    away = connect("mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=50", "gone")
    members = type(context.store.members)(away)
    lost = context.__class__(
        **{name: getattr(context, name) for name in context.__slots__ if name != "store"},
        store=context.store.__class__(
            **{name: getattr(context.store, name) for name in context.store.__slots__ if name != "members"}, members=members
        ),
    )
    assert (await sign_in(lost, bearer(owner))).id == owner.id
    away.close()


async def test_what_is_remembered_of_tokens_is_bounded(context: Context) -> None:
    people = context.credentials.people
    person = await sign_in(context, bearer(owner))
    for number in range(10_000):
        people.put(str(number), person, NOW + timedelta(hours=1))
    assert len(people) == 8_192
    assert people.get("0", NOW) is None
    assert people.get("9999", NOW) == person
