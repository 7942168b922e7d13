"""What SWUpdate reads of the JSON that it gets, and what it logs where that is not as it wants."""

from typing import Any

from ota_http_server.simulation.answer import is_number
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.hawkbit.ddi import found, text

ID_MAX = 2**31 - 1
NO_SLEEP = "Got malformed JSON: Could not find field config->polling->sleep."
NO_ID = "Got malformed JSON: Could not find field 'id'."
NO_CHUNKS = "Got malformed JSON: Could not find field deployment->chunks."
NO_CHUNK_FIELDS = "Got malformed JSON: Could not find fields 'part', 'version', or 'name'."
NO_ARTIFACTS = "Got malformed JSON: Could not find field deployment->chunks->artifacts."
NO_ARTIFACT_FIELDS = (
    "Got malformed JSON: Could not find fields 'filename', 'hashes->sha1', or 'size' in JSON."
)


def action_id(document: dict[str, Any]) -> int:
    """A string or a number that fits 32 bits, as json-c reads it."""
    value = document.get("id")
    digits = str(value) if isinstance(value, str) or is_number(value) else ""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10 or int(digits) > ID_MAX:
        raise Failed(NO_ID)
    return int(digits)


def chunks_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks, every field of theirs that is read being there and of the right type."""
    chunks = found(document, "deployment", "chunks")
    if not isinstance(chunks, list):
        raise Failed(NO_CHUNKS)
    for chunk in chunks:
        for name in ("part", "version", "name"):
            text(chunk, name, complaint=NO_CHUNK_FIELDS)
        if not isinstance(artifacts := found(chunk, "artifacts"), list):
            raise Failed(NO_ARTIFACTS)
        for artifact in artifacts:
            text(artifact, "filename", complaint=NO_ARTIFACT_FIELDS)
            text(artifact, "hashes", "sha1", complaint=NO_ARTIFACT_FIELDS)
            if not is_number(found(artifact, "size")):
                raise Failed(NO_ARTIFACT_FIELDS)
    return chunks
