"""Looking at all devices of a project, to say how many a rollout has and where it begins."""

import time

from ota_http_server.domain.device import Device
from ota_http_server.storage.database import Database
from ota_http_server.storage.devices import Wanted

PAGE = 500  # a hundredth of a second; between two pages others have their turn

Fleet = list[tuple[Device, str]]
"""Each device with the channel that it follows."""


def fleet_of(database: Database, project: str) -> Fleet:
    """The devices that may be offered anything, by id."""
    wanted = Wanted(project=project, blocked=False)
    fleet: Fleet = []
    last = ""
    while True:
        with database.reading() as rows:
            settings = rows.projects.get(project)
            page = rows.devices.page(wanted, last, PAGE)
        fleet += [(device, settings.channel_of(device)) for device in page]
        if len(page) < PAGE:
            return fleet
        last = page[-1].id
        time.sleep(0)
