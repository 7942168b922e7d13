"""The texts that must stay secret: made, read, compared, and judged at the start.

A secret that nobody configured is made once and kept in a file of our own. One that somebody
configured may be weak: then it works, and the operator is told by the setting's name. No
message here ever holds a secret, its length included.
"""

import errno
import hashlib
import hmac
import os
import re
import secrets
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from ota_http_server.domain.errors import Misconfigured

SECRET_BYTES_MADE = 64
"""As long as the longest hash (HS512), so that a made secret suits every algorithm."""
SECRET_FILE_BYTES_MAX = 4096
"""More than any header line or key would take; a bigger file is not the one that was meant."""
DISTINCT_CHARACTERS_MIN = 8
"""Random decimal digits have ten, hexadecimal ones sixteen."""

# What the examples of every tutorial are made of, our own included: supersecret, changeme,
# your-very-long-secret-value, MyJwtKey2024. No word begins another, so matching is linear.
_EXAMPLE = re.compile(
    r"(?:my|your|the|very|long|super|top|secret|admin|user|root|jwt|ota|token|key|value|password"
    r"|passw0rd|change|me|this|now|here|replace|insert|default|example|sample|test|demo|insecure"
    r"|letmein|welcome|qwerty|server|firmware)+[0-9]{0,8}\Z"
)

# Windows has neither; there the access list of the folder protects the file.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_POSIX = os.name == "posix"


def load_or_make(path: Path) -> str:
    """The secret kept in `path`, made at the first start and the same ever after.

    The file is 0600 and its folder 0700. The caller holds the start lock, so that instances
    starting together agree. A file that others may read, write or replace, an empty one and a
    symbolic link are `Misconfigured`: what stands there may be known to somebody.
    """
    try:
        if not os.path.lexists(path):
            _make(path)
        return _load(path)
    except OSError as error:
        reason = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise Misconfigured(f"{path}: cannot be used: {reason}") from error


def read_secret_file(path: Path) -> str:
    """The secret in a file that the operator names. One newline at its end is not part of it.

    A file that everybody may read is `Misconfigured` where it is ours to mend. Mounts of
    container secrets are often 0444; they belong to somebody else or are read-only.
    """
    try:
        with _opened(path) as descriptor:
            if _POSIX and _is_exposed(descriptor):
                raise _open_to_others(path, "600")
            return _text(descriptor, path)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from error


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time. No secret at all (an empty `expected`) matches nothing.

    Header text reaches us as bytes read as Latin-1 (PEP 3333), other text as it was meant:
    both spellings of the same secret match.
    """
    wanted = _digest(_bytes(expected))
    as_text = hmac.compare_digest(_digest(_bytes(given)), wanted)
    as_header = hmac.compare_digest(_digest(_header_bytes(given)), wanted)
    return bool(expected) and (as_text or as_header)


def weaknesses(name: str, secret: str, bytes_min: int) -> list[str]:
    """What is wrong with the secret of the setting `name`, a sentence each; none is good.

    `bytes_min` is what its use asks for: the length of the hash for a token secret.
    """
    found = []
    if len(_bytes(secret)) < bytes_min:
        found.append(f"{name} is shorter than {bytes_min} bytes")
    # A text that occurs in its own double before the end repeats a shorter piece.
    piece = secret[: (secret + secret).find(secret, 1)]
    if _EXAMPLE.match("".join(filter(str.isalnum, piece)).casefold()):
        found.append(f"{name} is a well-known word")
    if len(set(secret)) < DISTINCT_CHARACTERS_MIN:
        found.append(f"{name} uses fewer than {DISTINCT_CHARACTERS_MIN} different characters")
    elif len(piece) < len(secret):
        found.append(f"{name} repeats a shorter text")
    return found


def equal_secrets(by_name: Mapping[str, str]) -> list[str]:
    """A sentence for each two settings that hold the same secret."""
    return [
        f"{one} and {other} are the same secret: who learns one has both"
        for one, other in combinations(by_name, 2)
        if same_secret(by_name[one], by_name[other])
    ]


def _load(path: Path) -> str:
    with _opened(path, _NO_FOLLOW) as descriptor:
        if _POSIX and os.fstat(descriptor).st_mode & 0o077:
            raise _open_to_others(path, "600")
        if _POSIX and path.parent.stat().st_mode & 0o022:
            raise _open_to_others(path.parent, "700")
        return _text(descriptor, path)


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    # Not waiting: a pipe that nobody writes to would hold up the start for ever.
    descriptor = os.open(path, os.O_RDONLY | _NO_WAIT | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _text(descriptor: int, path: Path) -> str:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Misconfigured(f"{path}: is not a file")
    content = os.read(descriptor, SECRET_FILE_BYTES_MAX + 1)
    if len(content) > SECRET_FILE_BYTES_MAX:
        raise Misconfigured(f"{path}: more than {SECRET_FILE_BYTES_MAX} bytes, too long a secret")
    try:
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Misconfigured(f"{path}: is not text in UTF-8") from None
    if not secret.strip():
        raise Misconfigured(f"{path}: is empty, a secret is expected")
    return secret


def _is_exposed(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return False
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IROTH) and status.st_uid == os.geteuid()


def _open_to_others(path: Path, mode: str) -> Misconfigured:
    return Misconfigured(
        f"{path}: others may read or change it; mend it with: chmod {mode} {shlex.quote(str(path))}"
    )


def _make(path: Path) -> None:
    for folder in reversed(path.parents):
        folder.mkdir(mode=0o700, exist_ok=True)
    path.parent.chmod(0o700)  # it may have been there, made with the mode of the hour
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)  # left by a start that was cut short, never used
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(SECRET_BYTES_MADE) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if _POSIX:  # the new name must be durable too, or a power cut takes the secret back
        with _opened(path.parent) as descriptor:
            os.fsync(descriptor)


def _bytes(text: str) -> bytes:
    """What was typed. Variables and arguments that are no UTF-8 hold surrogates (PEP 383)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _header_bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:  # then it did not come from a header
        return _bytes(text)


def _digest(data: bytes) -> bytes:
    """Equal lengths, so that comparing tells nothing about the length of the secret."""
    return hashlib.sha256(data).digest()
