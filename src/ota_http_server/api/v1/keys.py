"""API keys: given, listed and taken back by admins."""

from marshmallow import fields

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.paging import Paged, TellsPage, limit_of, page
from ota_http_server.api.v1.words import Moment, Said, Text, Told
from ota_http_server.domain.api_key import NAME_PATTERN
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Role
from ota_http_server.operations.give_key import KeyWish

KEYS = Noun("keys", "Named keys of people and programs, each with a role and perhaps one project.")

ROLES = tuple(role.word for role in Role)
PROJECT = "The one project that it may see and change; null: all."


class KeySaid(Said):
    """A key to be given."""

    name = Text("Names it in the audit log; never given twice.", required=True)
    role = Text("What it may at most.", one_of=ROLES, required=True)
    project = Text(PROJECT, characters_max=64, allow_none=True)
    expires_at = Moment("When it ends; null: when it is revoked.", allow_none=True)


class KeyTold(Told):
    """A key, without its text."""

    name = Text()
    role = Text(one_of=ROLES, attribute="role.word")
    project = Text(PROJECT, allow_none=True)
    created_at = Moment()
    created_by = Text("The key that gave it; `shared-secret` or `shell` where it was none.")
    expires_at = Moment(allow_none=True)
    revoked_at = Moment(allow_none=True)


class GivenTold(Told):
    """A new key."""

    text = Text("The key itself: shown this once, kept nowhere.")
    key = fields.Nested(KeyTold)


class KeyPage(TellsPage):
    items = fields.List(fields.Nested(KeyTold))


@KEYS.route("GET", "/keys", Role.ADMIN, asks=Paged, tells=KeyPage, pages=True)
def list_keys(call: Call) -> Answer:
    """List the API keys, revoked ones too.

    Whoever is for one project sees the keys of that project alone.
    """
    only = call.operator.project
    call.operator.must(Role.ADMIN, only)
    with call.door.database.reading() as rows:
        found = rows.api_keys.page(only, call.query["after"], limit_of(call) + 1)
    return page(call, found, lambda key: key.name)


@KEYS.route("POST", "/keys", Role.ADMIN, says=KeySaid, tells=GivenTold, status=201, refuses=(409,))
def create_key(call: Call) -> Answer:
    """Give an API key.

    Its text is in this answer and never again.
    """
    said = call.said
    wish = KeyWish.of(said["name"], said["role"], said.get("project"), said.get("expires_at"))
    given = call.door.keys.create(call.operator, wish)
    return Answer(given, location=f"/keys/{given.key.name}")


@KEYS.route("GET", "/keys/{key}", Role.ADMIN, tells=KeyTold)
def get_key(call: Call) -> Answer:
    """Read what is known of an API key."""
    only = call.operator.project
    call.operator.must(Role.ADMIN, only)
    with call.door.database.reading() as rows:
        key = rows.api_keys.get(_name(call))
    if key is None or only not in (None, key.project):
        raise NotFound("there is no such key")
    return Answer(key)


@KEYS.route("DELETE", "/keys/{key}", Role.ADMIN, tells=KeyTold)
def revoke_key(call: Call) -> Answer:
    """Take an API key back.

    Every instance refuses it within two seconds. Its name stays taken.
    """
    return Answer(call.door.keys.revoke(call.operator, _name(call)))


def _name(call: Call) -> str:
    name = call.path["key"]
    if not NAME_PATTERN.match(name):
        raise NotFound("there is no such key")
    return name
