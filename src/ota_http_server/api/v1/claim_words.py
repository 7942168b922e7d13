"""What is said and told of what lets devices in: claim codes, key pairs and credentials."""

from marshmallow import fields

from ota_http_server.api.v1.paging import Paged, TellsPage
from ota_http_server.api.v1.words import Moment, Number, Said, Text, Texts, Told
from ota_http_server.domain.claim import DEVICES_MAX, LABEL_CHARACTERS_MAX
from ota_http_server.domain.device_key import KeyState
from ota_http_server.storage.credentials import Kind

UNTIL = "Left out: in a week."
COUNT = "How many devices it lets in."
FINGERPRINT = "SHA-256 of the key's DER form, in hexadecimal."


class ClaimSaid(Said):
    """A code to be given."""

    project = Text(characters_max=64, required=True)
    label = Text("What it is for.", characters_max=LABEL_CHARACTERS_MAX, load_default="")
    devices = Number(COUNT, least=1, most=DEVICES_MAX, load_default=1)
    expires_at = Moment(UNTIL, allow_none=True)
    channel = Text("What its devices follow.", characters_max=32, allow_none=True)
    tags = Texts("Of its devices.", of=Text(characters_max=64), load_default=[])


class ClaimTold(Told):
    """A code, without its text."""

    id = Number()
    project = Text()
    label = Text()
    uses = Number("How many devices it has let in.")
    uses_max = Number(COUNT)
    expires_at = Moment()
    channel = Text(allow_none=True)
    tags = Texts()
    created_at = Moment()
    created_by = Text()
    revoked_at = Moment(allow_none=True)


class GivenClaimTold(Told):
    """A new code."""

    code = Text("The code itself: shown this once, kept nowhere.")
    claim = fields.Nested(ClaimTold)


class ClaimPage(TellsPage):
    items = fields.List(fields.Nested(ClaimTold))


class CredentialTold(Told):
    """A credential, by its digest."""

    digest = Text("SHA-256 of its text, in hexadecimal.")
    kind = Text(one_of=tuple(Kind))
    device = Text('"" for a gateway, which speaks for every device of its project.')
    project = Text()
    created_at = Moment()
    created_by = Text()
    revoked_at = Moment(allow_none=True)


class CredentialsTold(Told):
    """Those that are known, the latest first."""

    items = fields.List(fields.Nested(CredentialTold))


class GivenCredentialTold(Told):
    """A new credential."""

    text = Text("The credential itself: shown this once, kept nowhere.")
    credential = fields.Nested(CredentialTold)
    warning = Text("What the caller should know; null: nothing.", allow_none=True)


class RevokedAllTold(Told):
    """What was revoked with the device's tokens."""

    revoked = Number("How many credentials and keys were good until now.")


class DeviceKeyQuery(Paged):
    state = Text(one_of=tuple(KeyState))


class AnnouncedSaid(Said):
    """A key that is expected."""

    project = Text(characters_max=64, required=True)
    fingerprint = Text(FINGERPRINT, characters_max=200, required=True)
    device = Text("The device it is for; left out: whichever comes with it.", characters_max=64)


class DeviceKeyTold(Told):
    """A device's public key, and how far it has come."""

    fingerprint = Text(FINGERPRINT)
    project = Text()
    device = Text('"" while it is for whichever comes with it.')
    public_key = Text("In PEM; empty while only its fingerprint was announced.")
    state = Text(one_of=tuple(KeyState))
    address = Text("Where it came from.", allow_none=True)
    created_at = Moment()
    decided_at = Moment(allow_none=True)
    decided_by = Text(allow_none=True)


class DeviceKeyPage(TellsPage):
    items = fields.List(fields.Nested(DeviceKeyTold))
