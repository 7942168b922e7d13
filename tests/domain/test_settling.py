"""A project's settings in words from outside: any words are settings or are refused."""

from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.project import FolderMode, Project
from ota_http_server.domain.settling import SETTINGS, settled

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(SETTINGS) | st.text(max_size=12), anything, max_size=4))
def test_any_words_are_settings_or_are_refused(wish):
    before = Project(name="lamp", notes="before", edition=3)
    try:
        after = settled(before, wish)
    except Invalid:
        return

    assert (after.name, after.edition) == ("lamp", 3)
    assert set(wish) <= set(SETTINGS)
    said = {name: getattr(after, name) for name in SETTINGS}
    assert settled(before, said) == settled(after, {}) == after


def test_what_is_said_is_settled():
    after = settled(Project(name="lamp"), {"folder": "draft", "chip": " ESP32-C6 ", "notes": "a"})

    assert (after.folder, after.chip, after.notes) == (FolderMode.DRAFT, "esp32c6", "a")
