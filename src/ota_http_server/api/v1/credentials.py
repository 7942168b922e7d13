"""Opaque credentials: of devices, and of gateways that speak for a project's devices."""

from ota_http_server.api.v1.claim_words import (
    CredentialsTold,
    CredentialTold,
    GivenCredentialTold,
    RevokedAllTold,
)
from ota_http_server.api.v1.devices import device_of
from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.projects import check_known
from ota_http_server.domain.operator import Role

CREDENTIALS = Noun(
    "credentials", "Long-lived credentials of devices and gateways: 32 characters, revocable alone."
)


@CREDENTIALS.route("GET", "/devices/{device}/credentials", tells=CredentialsTold)
def list_credentials(call: Call) -> Answer:
    """List a device's credentials, revoked ones too."""
    with call.door.database.reading() as rows:
        device = device_of(call, rows)
        return Answer({"items": rows.credentials.of_device(device.id)})


@CREDENTIALS.route(
    "POST",
    "/devices/{device}/credentials",
    Role.OPERATOR,
    tells=GivenCredentialTold,
    status=201,
    refuses=(409,),
)
def issue_credential(call: Call) -> Answer:
    """Give a device a credential.

    It has 32 letters and digits and is in this answer and never again. A device may have several,
    so that a new one can be in use before the old one is revoked.
    """
    with call.door.database.reading() as rows:
        device = device_of(call, rows)
    return Answer(call.door.enroll.issue(call.operator, device.project, device.id))


@CREDENTIALS.route("DELETE", "/devices/{device}/credentials", Role.OPERATOR, tells=RevokedAllTold)
def revoke_all_of_device(call: Call) -> Answer:
    """Take back all that opens anything in a device's name.

    Its credentials, its tokens so far and its key. A claim code may let it in again.
    """
    count = call.door.enroll.revoke_all(call.operator, call.path["device"])
    return Answer({"revoked": count})


@CREDENTIALS.route(
    "DELETE", "/credentials/{digest}", Role.OPERATOR, tells=CredentialTold, refuses=(409,)
)
def revoke_credential(call: Call) -> Answer:
    """Take one credential back, of a device or a gateway.

    Every instance refuses it within two seconds. Revoking it again is no error.
    """
    return Answer(call.door.enroll.revoke(call.operator, call.path["digest"]))


@CREDENTIALS.route("GET", "/projects/{project}/gateway-keys", tells=CredentialsTold)
def list_gateway_keys(call: Call) -> Answer:
    """List a project's gateway keys, revoked ones too."""
    with call.door.database.reading() as rows:
        check_known(call, rows)
        return Answer({"items": rows.credentials.of(call.path["project"], "")})


@CREDENTIALS.route(
    "POST",
    "/projects/{project}/gateway-keys",
    Role.OPERATOR,
    tells=GivenCredentialTold,
    status=201,
    refuses=(409,),
)
def create_gateway_key(call: Call) -> Answer:
    """Give a key that speaks for every device of a project.

    What hawkBit's gateways need. It is in this answer and never again. Whoever has it can say that
    any device runs anything: give devices credentials of their own where you can.
    """
    return Answer(call.door.enroll.gateway(call.operator, call.path["project"]))
