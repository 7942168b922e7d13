"""The admin API as a program has it: a key, and calls with it.

api = Api(ota)                            # with the admin secret
ci = api.as_key("publisher", "lamp")      # with a new key
assert ci.get("/projects/lamp").status_code == 200
"""

from typing import Any

from werkzeug.test import TestResponse

from ota_http_server.domain.operator import Operator
from ota_http_server.operations.give_key import KeyWish
from tests.instance import ADMIN_SECRET, Instance

SHELL = Operator("shell", None)


class Api:
    def __init__(self, ota: Instance, headers: dict[str, str] | None = None) -> None:
        self.ota = ota
        self.headers = {"X-Admin-Secret": ADMIN_SECRET} if headers is None else headers

    def as_key(self, role: str, project: str | None = None, name: str | None = None) -> "Api":
        """Another caller, with a new key."""
        wish = KeyWish.of(name or f"{role}-of-{project or 'all'}", role, project, None)
        given = self.ota.ota.keys.create(SHELL, wish)
        return Api(self.ota, {"Authorization": f"Bearer {given.text}"})

    def nobody(self) -> "Api":
        return Api(self.ota, {})

    def ask(
        self, method: str, path: str, said: Any = None, /, *, data: Any = None, **headers: str
    ) -> TestResponse:
        """One call; `_` in names of headers means `-`. `path` below `/api/v1`, or whole."""
        fields = self.headers | {name.replace("_", "-"): v for name, v in headers.items()}
        whole = path if path.startswith("/api/v1") else f"/api/v1{path}"
        more = {"json": said} if said is not None else {"data": data}
        return self.ota.client.open(whole, method=method, headers=fields, buffered=True, **more)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, said: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, said, **headers)

    def put(self, path: str, said: Any = None, **headers: str) -> TestResponse:
        return self.ask("PUT", path, said, **headers)

    def patch(self, path: str, said: Any, **headers: str) -> TestResponse:
        return self.ask("PATCH", path, said, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.ask("DELETE", path, **headers)

    def walk(self, path: str, **query: Any) -> list[Any]:
        """Every item of a listing, by following `next` through all pages."""
        items: list[Any] = []
        link: str | None = path + ("?" + "&".join(f"{k}={v}" for k, v in query.items()))
        while link is not None:
            answer = self.get(link)
            assert answer.status_code == 200, answer.data
            items += answer.json["items"]
            said = answer.headers.get("Link")
            link = None if said is None else said.partition(">")[0].removeprefix("<")
            assert (link is None) == (answer.json["next"] is None)
        return items
