"""What is answered, as JSON. `_links` are complete URLs; ids are texts; a size is a number."""

from collections.abc import Sequence
from typing import Any

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.formats.mcuboot import FORMAT as MCUBOOT
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.domain.rollout_plan import Mode
from ota_http_server.protocols.hawkbit.actions import Action
from ota_http_server.protocols.hawkbit.links import MD5_SUFFIX, Links

Document = dict[str, Any]

SLEEP_SECONDS_MAX = 24 * 3600 - 1  # HH:MM:SS, and Zephyr takes exactly eight characters
_HANDLING = {
    Mode.FORCED: ("forced", "forced"),
    Mode.SOFT: ("attempt", "attempt"),
    # SWUpdate closes such an action without a download; rauc fetches the bundle and says so.
    Mode.DOWNLOAD_ONLY: ("forced", "skip"),
}
"""How the download and the update are asked for."""

_HISTORY = {
    State.OFFERED: "RETRIEVED",
    State.DOWNLOADING: "DOWNLOAD",
    State.DOWNLOADED: "DOWNLOADED",
    State.INSTALLED: "FINISHED",
    State.VERIFIED: "FINISHED",
    State.FAILED: "ERROR",
    State.ROLLED_BACK: "ERROR",
    State.SILENT: "WARNING",
    State.CANCELED: "CANCELED",
    State.SUPERSEDED: "CANCELED",
}


def poll(seconds: int, links: dict[str, str]) -> Document:
    """The answer to a poll: when to come again, and what there is to do."""
    minutes, second = divmod(min(seconds, SLEEP_SECONDS_MAX), 60)
    hour, minute = divmod(minutes, 60)
    return {
        "config": {"polling": {"sleep": f"{hour:02}:{minute:02}:{second:02}"}},
        "_links": {name: _href(url) for name, url in links.items()},
    }


def deployment(
    action: Action,
    links: Links,
    messages: Sequence[str] | None = None,
    *,
    word: str = "deployment",
) -> Document:
    """One chunk, which is all that rauc and Zephyr take."""
    attempt = action.attempt
    download, update = _HANDLING[action.mode]
    chunk = {
        "part": part_of(action.images[0]),
        "version": attempt.version,
        "name": attempt.project,
        "artifacts": artifacts(action, links),
    }
    document: Document = {
        "id": str(attempt.id),
        word: {"download": download, "update": update, "chunks": [chunk]},
    }
    if messages is not None:
        document["actionHistory"] = {"status": _status(attempt), "messages": list(messages)}
    return document


def part_of(image: ReleaseImage) -> str:
    """Zephyr takes its own part alone; nobody else looks."""
    return "bApp" if image.format == MCUBOOT else "os"


def artifacts(action: Action, links: Links) -> list[Document]:
    return [_artifact(action.attempt.id, image, links) for image in action.images]


def cancel(attempt: Attempt) -> Document:
    return {"id": str(attempt.id), "cancelAction": {"stopId": str(attempt.id)}}


def confirmation() -> Document:
    """Nothing waits for anybody's consent here: Zephyr knows no such thing, and would for ever."""
    return {"autoConfirm": {"active": True}, "_links": {}}


def _artifact(action: int, image: ReleaseImage, links: Links) -> Document:
    """Both kinds of link name the one scheme that is served."""
    url = links.artifact(action, image)
    whole, md5sum = _href(url), _href(url + MD5_SUFFIX)
    return {
        "filename": links.name(action, image),
        "size": image.size,
        "hashes": {"sha1": image.sha1, "md5": image.md5, "sha256": image.sha256},
        "_links": {
            "download": whole,
            "download-http": whole,
            "md5sum": md5sum,
            "md5sum-http": md5sum,
        },
    }


def _status(attempt: Attempt) -> str:
    return "CANCELING" if attempt.is_canceling else _HISTORY[attempt.state]


def _href(url: str) -> Document:
    return {"href": url}
