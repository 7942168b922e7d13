"""Looking at all devices of a project, to say how many a rollout has and where it begins."""

import time

from ota_http_server.domain.device import Device
from ota_http_server.domain.rollout import Rollout
from ota_http_server.storage.database import Database
from ota_http_server.storage.devices import Wanted

PAGE = 500  # a hundredth of a second; between two pages others have their turn

Fleet = list[tuple[Device, str]]
"""Each device with the channel that it follows."""


def fleet_for(database: Database, rollout: Rollout) -> Fleet:
    """The devices that may be offered the rollout's release, by id, whether it is for them or not.

    Those of other channels are none of its business: it never comes to them.
    """
    with database.reading() as rows:
        release = rows.releases.by_number(rollout.release)
    return [] if release is None else fleet_of(database, rollout.project, release.channel)


def fleet_of(database: Database, project: str, channel: str) -> Fleet:
    """The devices that may be offered releases of this channel, by id."""
    wanted = Wanted(project=project, blocked=False)
    fleet: Fleet = []
    last = ""
    while True:
        with database.reading() as rows:
            settings = rows.projects.get(project)
            page = rows.devices.page(wanted, last, PAGE)
        fleet += [(one, channel) for one in page if settings.channel_of(one) == channel]
        if len(page) < PAGE:
            return fleet
        last = page[-1].id
        time.sleep(0)
