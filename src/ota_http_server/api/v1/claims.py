"""Claim codes: each lets one device in, or a batch, without any secret of the server."""

from ota_http_server.api.v1.claim_words import ClaimPage, ClaimSaid, ClaimTold, GivenClaimTold
from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.numbers import number_in
from ota_http_server.api.v1.paging import Paged, limit_of, page
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Role
from ota_http_server.operations.claim import ClaimWish

CLAIMS = Noun("claims", "Codes that a device turns into its first credential.")


@CLAIMS.route("GET", "/claims", asks=Paged, tells=ClaimPage, pages=True)
def list_claims(call: Call) -> Answer:
    """List the claim codes, whatever became of them; never their text."""
    only, after = call.operator.project, call.query["after"]
    behind = number_in(after, "after") if after else 0
    with call.door.database.reading() as rows:
        found = rows.claims.page(only, behind, limit_of(call) + 1)
    return page(call, found, lambda claim: claim.id)


@CLAIMS.route(
    "POST",
    "/claims",
    Role.OPERATOR,
    says=ClaimSaid,
    tells=GivenClaimTold,
    status=201,
    refuses=(409,),
)
def create_claim(call: Call) -> Answer:
    """Give a claim code, for one device or for a batch.

    The code is in this answer and never again.
    """
    said = call.said
    wish = ClaimWish.of(
        said["project"],
        said["devices"],
        label=said["label"],
        expires_at=said.get("expires_at"),
        channel=said.get("channel"),
        tags=said["tags"],
    )
    given = call.door.claims.create(call.operator, wish)
    return Answer(given, location=f"/claims/{given.claim.id}")


@CLAIMS.route("GET", "/claims/{claim}", tells=ClaimTold)
def get_claim(call: Call) -> Answer:
    """Read what became of a claim code."""
    with call.door.database.reading() as rows:
        claim = rows.claims.get(number_in(call.path["claim"], "claim"))
    if claim is None or not call.operator.may_see(claim.project):
        raise NotFound("there is no such claim")
    return Answer(claim)


@CLAIMS.route("DELETE", "/claims/{claim}", Role.OPERATOR, tells=ClaimTold)
def revoke_claim(call: Call) -> Answer:
    """Take a claim code back.

    Nobody comes in by it any more; whoever did stays.
    """
    return Answer(call.door.claims.revoke(call.operator, number_in(call.path["claim"], "claim")))
