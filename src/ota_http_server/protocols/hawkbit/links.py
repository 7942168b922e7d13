"""The URLs of one controller. They are absolute, and short: Zephyr keeps a download's path in 200
characters."""

from ota_http_server.domain.release import ReleaseImage

TENANT = "DEFAULT"
"""The only one. Requests may spell it in any case; old Zephyrs want it so in links."""
PATH_CHARACTERS_MAX = 199
MD5_SUFFIX = ".MD5SUM"
SHORT_DIGEST = 16
SUFFIX_CHARACTERS_MAX = 8


class Links:
    """`controller` is spelt as the client spelt it."""

    __slots__ = ("_path", "_root")

    def __init__(self, base_url: str, controller: str) -> None:
        self._path = f"/{TENANT}/controller/v1/{controller}"
        self._root = base_url + self._path

    @property
    def config_data(self) -> str:
        return f"{self._root}/configData"

    def deployment(self, action: int) -> str:
        return f"{self._root}/deploymentBase/{action}"

    def cancel(self, action: int) -> str:
        """Without a query: SWUpdate writes `/feedback` behind it."""
        return f"{self._root}/cancelAction/{action}"

    def installed(self, action: int) -> str:
        return f"{self._root}/installedBase/{action}"

    def artifact(self, action: int, image: ReleaseImage) -> str:
        return f"{self._root}/softwaremodules/{action}/artifacts/{self.name(action, image)}"

    def name(self, action: int, image: ReleaseImage) -> str:
        """The file's name, or a short one where the path would be too long with it."""
        rest = f"{self._path}/softwaremodules/{action}/artifacts/"
        if len(rest) + len(image.name) <= PATH_CHARACTERS_MAX:
            return image.name
        return short_name(image)


def short_name(image: ReleaseImage) -> str:
    """Its digest's beginning, with the same ending: SWUpdate takes what ends in `.swu`."""
    _, dot, suffix = image.name.rpartition(".")
    ending = f".{suffix}" if dot and len(suffix) <= SUFFIX_CHARACTERS_MAX else ""
    return image.sha256[:SHORT_DIGEST] + ending
