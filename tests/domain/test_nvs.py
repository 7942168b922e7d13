"""The table for ESP-IDF's tool reads back as what was put in."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.nvs import nvs_csv

printable = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=200)


def test_the_table_is_one_that_the_tool_takes():
    table = nvs_csv({"token": "A" * 32, "url": 'https://h/a,"b"'})

    assert table == (
        "key,type,encoding,value\n"
        "ota,namespace,,\n"
        f"token,data,string,{'A' * 32}\n"
        'url,data,string,"https://h/a,""b"""\n'
    )


@given(printable, printable)
def test_every_value_reads_back_as_it_was(token, url):
    table = nvs_csv({"token": token, "url": url})

    # As the tool does: lines first, then cells.
    rows = list(csv.DictReader(line for line in io.StringIO(table, newline="")))
    assert [(row["key"], row["value"]) for row in rows[1:]] == [("token", token), ("url", url)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token", "a\nb"),
        ("token", "a\r"),
        ("token", "a\0"),
        ("token", "x" * 1_025),
        ("token", "\udcff"),
        ("a_key_of_16_chars", "a"),
        ("", "a"),
        ("a,b", "a"),
        ("schlüssel", "a"),
    ],
)
def test_what_would_break_the_table_is_refused(key, value):
    with pytest.raises(Invalid):
        nvs_csv({key: value})
