"""Which projects there are: those that rows speak of, and those that have a folder."""

from collections.abc import Callable

from ota_http_server.domain.errors import Unavailable
from ota_http_server.storage.transaction import Reading


def known_projects(rows: Reading, folders: Callable[[], list[str]]) -> set[str]:
    """Their names. While the firmware folder is away, the rows tell of all that is served."""
    try:
        return rows.projects.known() | set(folders())
    except Unavailable:
        return rows.projects.known()


def is_known(rows: Reading, folders: Callable[[], list[str]], name: str) -> bool:
    """The same of one project, without gathering all of them."""
    if rows.projects.is_known(name):
        return True
    try:
        return name in folders()
    except Unavailable:
        return False
