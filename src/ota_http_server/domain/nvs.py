"""A board's first credential as a table for ESP-IDF's `nvs_partition_gen`.

It makes an image of the board's NVS partition, which is flashed beside the firmware: no secret
has to be compiled in. Columns and types are those of the tool (its README, "CSV file format").
"""

import csv
import io
from collections.abc import Mapping

from ota_http_server.domain.errors import Invalid

NAMESPACE = "ota"
KEY_CHARACTERS_MAX = 15  # NVS keeps a key in 16 bytes with its end
VALUE_BYTES_MAX = 1_024  # NVS itself takes 4,000; a longer one of ours is a mistake

_COLUMNS = ("key", "type", "encoding", "value")


def nvs_csv(values: Mapping[str, str]) -> str:
    """The table with these texts in our namespace, or `Invalid`."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerow((NAMESPACE, "namespace", "", ""))
    for key, value in values.items():
        _check(key, value)
        rows.writerow((key, "data", "string", value))
    return table.getvalue()


def _check(key: str, value: str) -> None:
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isascii() or not key.isidentifier():
        raise Invalid(f"{key[:64]} is no key for NVS: it has at most {KEY_CHARACTERS_MAX} letters")
    # The tool reads line by line before it reads cells: a line break would become a row.
    if not value.isprintable() or len(value.encode("utf-8", "replace")) > VALUE_BYTES_MAX:
        raise Invalid(f"{key} must be printable, with at most {VALUE_BYTES_MAX:,} bytes")
