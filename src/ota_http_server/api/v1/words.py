"""Words from outside and to outside: what the bodies and queries of the API are made of.

A schema of `Said` is what a caller may say; a field that it does not know is refused, with the
nearest one that it does. Here only shapes are judged; what a value means is for the domain, which
refuses in its own sentences. A schema of `Told` is what we answer: every field is always there.
"""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from ota_http_server.domain.errors import Invalid

NUMBER_MAX = 2**53 - 1  # beyond it, programs that keep numbers as doubles read another one
NAME_SHOWN_MAX = 64
SECONDS_MAX = 253_402_300_799  # the last second of the year 9999: RFC 3339 has four digits
_PLUS = re.compile(r" (\d\d:\d\d)\Z")  # in a query, a + that was not escaped is a blank
_UNKNOWN = "Unknown field."  # marshmallow's own words, which are never shown
_WHOLE = "_schema"  # where it says what is wrong with an object as a whole


def _refusing(invalid: str) -> dict[str, str | list[Any] | dict[Any, Any]]:
    return {"required": "is needed", "null": "must not be null", "invalid": invalid}


class Said(Schema):
    """What a caller says."""

    class Meta:
        unknown = RAISE

    def handle_error(
        self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any
    ) -> NoReturn:
        raise Invalid(_sentence(error.messages, list(self.fields)))


class Part(Schema):
    """An object within what a caller says: its mistakes are told with the place where it stands."""

    class Meta:
        unknown = RAISE

    def handle_error(
        self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any
    ) -> NoReturn:
        messages: Any = error.messages
        if _WHOLE in messages:
            raise ValidationError("must be an object")
        known = list(self.fields)
        raise ValidationError(
            {
                name: _strange(name, known) if what == [_UNKNOWN] else what
                for name, what in messages.items()
            }
        )


class Told(Schema):
    """What we answer."""

    class Meta:
        unknown = RAISE

    def on_bind_field(self, _field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = True


class Text(fields.String):
    """Text that every store can hold. `one_of`: it is one of these words."""

    default_error_messages = _refusing("must be text")

    def __init__(
        self,
        about: str = "",
        *,
        one_of: tuple[str, ...] = (),
        characters_max: int | None = None,
        **more: Any,
    ) -> None:
        told: dict[str, Any] = {"description": about} if about else {}
        rules: list[Any] = []
        if one_of:
            rules.append(validate.OneOf(one_of, error=f"must be one of {', '.join(one_of)}"))
        elif characters_max is not None:
            error = f"must have at most {characters_max:,} characters"
            rules.append(validate.Length(max=characters_max, error=error))
        super().__init__(validate=rules, metadata=told, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError("must not hold U+0000 or half a surrogate pair")
        return text


class Flag(fields.Boolean):
    """`true` or `false`; in a query as these words."""

    default_error_messages = _refusing("must be true or false")

    def __init__(self, about: str = "", **more: Any) -> None:
        super().__init__(metadata={"description": about} if about else {}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool):
            return value
        if value in ("true", "false") and isinstance(data, Query):
            return bool(value == "true")
        raise self.make_error("invalid")


class Number(fields.Integer):
    """A whole number; in a query in digits."""

    default_error_messages = _refusing("must be a whole number")

    def __init__(
        self, about: str = "", *, least: int = 0, most: int = NUMBER_MAX, **more: Any
    ) -> None:
        error = f"must be a whole number from {least} to {most}"
        rule = validate.Range(least, most, error=error)
        metadata = {"description": about} if about else {}
        super().__init__(strict=True, validate=rule, metadata=metadata, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            if not isinstance(data, Query) or not value.isascii() or not value.isdigit():
                raise self.make_error("invalid")
            return int(value[:20])
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid")
        return value


class Percent(fields.Float):
    """0 to 100, with two decimals at most."""

    default_error_messages = _refusing("must be a number of percent")

    def __init__(self, about: str = "", **more: Any) -> None:
        rule = validate.Range(0, 100, error="must be 0 to 100 percent")
        super().__init__(validate=rule, metadata={"description": about} if about else {}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        return value


class Moment(fields.Field[int]):
    """Unix seconds inside, RFC 3339 outside."""

    default_error_messages = _refusing("must be a time such as 2025-10-09T15:34:12+00:00")

    def __init__(self, about: str = "", **more: Any) -> None:
        told = {"type": "string", "format": "date-time"}
        super().__init__(metadata={**told, **({"description": about} if about else {})}, **more)

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        # 0 says in rows that it is not known.
        return datetime.fromtimestamp(value, UTC).isoformat() if value else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or len(value) > 40:
            raise self.make_error("invalid")
        if isinstance(data, Query):
            value = _PLUS.sub(r"+\1", value)
        try:
            moment = datetime.fromisoformat(value)
            seconds = int(moment.timestamp())
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None
        if moment.tzinfo is None or not 0 <= seconds <= SECONDS_MAX:
            raise self.make_error("invalid")
        return seconds


class Texts(fields.List[str]):
    """A list of texts."""

    default_error_messages = _refusing("must be a list")

    def __init__(self, about: str = "", *, of: Text | None = None, **more: Any) -> None:
        super().__init__(of or Text(), metadata={"description": about} if about else {}, **more)


class Counts(fields.Dict):
    """Numbers by word, in answers."""

    def __init__(self, about: str = "", **more: Any) -> None:
        metadata = {"description": about} if about else {}
        super().__init__(keys=Text(), values=Number(), metadata=metadata, **more)


class Parts(fields.List[dict[str, Any]]):
    """A list of objects."""

    default_error_messages = _refusing("must be a list")

    def __init__(self, of: type[Part], about: str = "", **more: Any) -> None:
        one = fields.Nested(of, error_messages=_refusing("must be an object"))
        super().__init__(one, metadata={"description": about} if about else {}, **more)


class TextMap(fields.Dict):
    """Names and texts."""

    default_error_messages = _refusing("must be an object of texts")

    def __init__(self, about: str = "", **more: Any) -> None:
        metadata = {"description": about} if about else {}
        super().__init__(Text(), Text(), metadata=metadata, **more)


class Query(dict[str, str]):
    """The parameters of a query: all of them are texts."""


def _strange(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'nothing'}"
    return f"means nothing here; {hint}"


def _sentence(messages: Any, known: list[str]) -> str:
    """The first mistake of all, with the place where it is."""
    place: list[str] = []
    while isinstance(messages, Mapping):
        name, messages = next(iter(messages.items()))
        if name not in (_WHOLE, "value", "key"):
            place.append(str(name)[:NAME_SHOWN_MAX])
    what = messages[0] if isinstance(messages, list) else messages
    if what == _UNKNOWN:
        what = _strange(place[-1], known)
    return f"{'.'.join(place) or 'the body'} {what}"
