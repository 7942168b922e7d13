"""The four levels of settings, and the one line that says what is wrong with a value.

`settings.py` says which knobs there are; this says how a text or a TOML value becomes one.
"""

import difflib
import ipaddress
import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.knob import Knob
from ota_http_server.settings import Network, Settings, env_name, knobs

DEFAULT_FILE = Path("config.toml")
SECTION = "parameters"
FILE_SUFFIX = "_FILE"

TRUE, FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def read_settings(
    command_line: Mapping[str, str | bool],
    environ: Mapping[str, str],
    config: Path | None,
    read_secret: Callable[[Path], str],
) -> Settings:
    """The settings of all four levels; anything wrong is `Misconfigured`, in one line.

    `config` is the file asked for by name, which must exist; without it `config.toml` in the
    working folder counts if it is there. `read_secret` reads the file that a `…_FILE` variable
    of the environment names.
    """
    values = _from_file(config)
    values.update(_from_environment(environ, read_secret))
    for key, value in command_line.items():
        values[key] = _value(key, value, f"--{key.replace('_', '-')}")
    settings = Settings(**values)
    for name, path in _files(config, environ).items():
        settings.keep_from_www(name, path)
    return settings


OF_COMMANDS = {"OTA_SERVER", "OTA_API_KEY", "OTA_API_KEY_FILE"}
"""What commands read that speak to another server; no setting of this one."""


def strangers(environ: Mapping[str, str]) -> list[str]:
    """Warnings about `OTA_` variables that are no setting: most likely a slip of the pen."""
    known = {env_name(key, of) for key, (_, of) in knobs().items()}
    known |= OF_COMMANDS
    known |= {env_name(key, of) + FILE_SUFFIX for key, (_, of) in knobs().items() if of.secret}
    return [
        f"the environment has {name}, which is no setting{_nearest(name, known)}"
        for name in sorted(environ)
        if name.startswith("OTA_") and name not in known
    ]


def _from_file(config: Path | None) -> dict[str, Any]:
    path = config or DEFAULT_FILE
    try:
        text = path.read_bytes().decode("utf-8-sig")  # editors on Windows begin with a BOM
    except FileNotFoundError:
        if config is None:
            return {}
        raise Misconfigured(f"{path}: there is no such configuration file") from None
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: is not text in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read ({error.strerror})") from None
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Misconfigured(f"{path}: is not valid TOML ({error})") from None
    parameters = document.pop(SECTION, {})
    for key in document:
        raise Misconfigured(f"{path}: {key!r} stands outside of the [{SECTION}] table")
    if not isinstance(parameters, dict):
        raise Misconfigured(f"{path}: {SECTION} must be a table, [{SECTION}]")
    return {
        key: _value(key, value, str(path), typed=True)
        for key, value in parameters.items()
        if not _is_unset(key, value)
    }


def _is_unset(key: str, value: object) -> bool:
    """An empty text, as `config.toml` shows knobs whose default is worked out at start."""
    return value == "" and key in knobs() and knobs()[key][0].default is None


def _from_environment(
    environ: Mapping[str, str], read_secret: Callable[[Path], str]
) -> dict[str, Any]:
    values = {}
    for key, (_, of) in knobs().items():
        name = env_name(key, of)
        text, file = environ.get(name, ""), environ.get(name + FILE_SUFFIX, "")
        if of.secret and text and file:
            raise Misconfigured(f"the environment sets both {name} and {name}{FILE_SUFFIX}")
        if of.secret and file:
            text = read_secret(Path(file))
        if text:
            values[key] = _value(key, text, f"environment {name}")
    return values


def _files(config: Path | None, environ: Mapping[str, str]) -> dict[str, Path]:
    """The files that settings are read from, by what names them: secrets stand in them."""
    named = {"config": config or DEFAULT_FILE}
    for key, (_, of) in knobs().items():
        name = env_name(key, of) + FILE_SUFFIX
        if of.secret and environ.get(name):
            named[name] = Path(environ[name])
    return named


def _value(key: str, value: Any, origin: str, *, typed: bool = False) -> Any:
    """The value of a knob; `typed` values come from TOML and must have the right type."""
    known = knobs()
    if key not in known:
        raise Misconfigured(f"{origin}: unknown key {key!r}{_nearest(key, known)}")
    field, of = known[key]
    kind = _kind(field.type)
    try:
        result = _typed(value, kind) if typed else _parsed(value, kind)
        _check(result, of)
    except ValueError as error:
        said = "" if of.secret else f", not {value!r}"
        raise Misconfigured(f"{origin}: {key} must be {error}{said}") from None
    return result


def _kind(annotation: Any) -> Any:
    """`Path | None` is a path, `tuple[Network, ...]` networks; the rest is what it says."""
    if annotation == tuple[Network, ...]:
        return Network
    others = [kind for kind in get_args(annotation) if kind is not NoneType]
    return others[0] if others else annotation


def _typed(value: Any, kind: Any) -> Any:
    if kind is bool and not isinstance(value, bool):
        raise ValueError("true or false")
    if kind is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError("a whole number")
    if kind is float and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError("a number")
    if kind is Network and isinstance(value, list):
        return tuple(_network(text) for text in value)
    if kind in (str, Path, Network) and not isinstance(value, str):
        raise ValueError("a list of networks" if kind is Network else "a text in quotes")
    return value if kind in (bool, int) else _parsed(value, kind)


def _parsed(value: Any, kind: Any) -> Any:
    if kind is bool:
        return value if isinstance(value, bool) else _boolean(value)
    if kind is Network:
        return tuple(_network(text.strip()) for text in value.split(",") if text.strip())
    if kind in (int, float):
        return _number(value, kind)
    if "\0" in value:
        raise ValueError("a text without NUL")
    if not value:
        raise ValueError("a path" if kind is Path else "a text that is not empty")
    return kind(value)


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError("true or false (1/0, yes/no, on/off)")
    return word in TRUE


def _number(value: Any, kind: type[int] | type[float]) -> float:
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        raise ValueError("a whole number" if kind is int else "a number") from None
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def _network(text: Any) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except (ValueError, TypeError):
        raise ValueError("networks such as 127.0.0.1/32 or 10.0.0.0/8") from None


def _check(value: Any, of: Knob) -> None:
    if of.choices and value not in of.choices:
        raise ValueError("one of " + ", ".join(of.choices))
    if of.least is not None and value < of.least:
        raise ValueError(f"at least {of.least:.15g}")
    if of.most is not None and value > of.most:
        raise ValueError(f"at most {of.most:.15g}")


def _nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
