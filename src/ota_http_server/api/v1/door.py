"""What the endpoints of the API need; the wiring fills it."""

from collections.abc import Callable
from dataclasses import dataclass

from ota_http_server.http.operators import Operators
from ota_http_server.operations.admit_key import AdmitKey
from ota_http_server.operations.begin_rollout import BeginRollout
from ota_http_server.operations.change_release import ChangeRelease
from ota_http_server.operations.claim import Claims
from ota_http_server.operations.enroll import Enroll
from ota_http_server.operations.explain import Explain
from ota_http_server.operations.give_key import GiveKey
from ota_http_server.operations.look_after_device import LookAfterDevice
from ota_http_server.operations.mint_token import MintToken
from ota_http_server.operations.publish_release import PublishRelease
from ota_http_server.operations.revoke_token import RevokeToken
from ota_http_server.operations.roll_out import RollOut
from ota_http_server.operations.settle_project import SettleProject
from ota_http_server.operations.stop_offers import StopOffers
from ota_http_server.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Lists and details are read from the database; all else is an operation."""

    operators: Operators
    database: Database
    begin_rollout: BeginRollout
    roll_out: RollOut
    stop: StopOffers
    folders: Callable[[], list[str]]
    """The projects that have a folder."""
    follow: Callable[[str], object]
    """Has what was dropped into a project's folder taken up."""
    keys: GiveKey
    projects: SettleProject
    mint: MintToken
    revoke: RevokeToken
    publish: PublishRelease
    change_release: ChangeRelease
    explain: Explain
    enroll: Enroll
    look_after: LookAfterDevice
    claims: Claims
    device_keys: AdmitKey
    lifetime_minutes: int
    lifetime_minutes_max: int
