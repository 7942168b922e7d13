"""Selections: any text is one or is refused, and whoever is not known is not meant."""

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product
from time import perf_counter

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.selection import NAMES, Selection, all_of, is_one_of
from ota_http_server.domain.selection_parser import (
    COMPARISONS_MAX,
    DEPTH_MAX,
    TEXT_CHARACTERS_MAX,
    VALUES_MAX,
    Operator,
)
from tests.pages import REPOSITORY, blocks

PAGE = REPOSITORY / "docs" / "reference" / "selection.md"
UNKNOWN = Device(id="board-7", project="lamp")
KNOWN = replace(
    UNKNOWN,
    tags=("kitchen", "floor/1"),
    chip="esp32s3",
    board="lamp-v2",
    revision=301,
    version="v1.4.0",
    attributes={"colour": "warm white", "a b": "", "hw.rev": "2"},
)


def covers(text, device=KNOWN, channel="stable"):
    return Selection.parse(text).covers(device, channel)


def canonical(text):
    return Selection.parse(text).text


def refusal(text):
    with pytest.raises(Invalid) as refused:
        Selection.parse(text)
    return refused.value.detail


# --- what each name and operator means ---------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("id==board-7", "id!=board-8", "id==board-*", "id=in=(board-6,board-7)", "id=out=(a,b)"),
        *("tag==kitchen", "tag==floor/1", "tag!=attic", "tag==k*n", "tag=in=(attic,kitchen)"),
        *("tag=out=(attic,cellar)", "tag!=a*", "tag==*"),
        *("channel==stable", "channel!=beta", "channel==st*", "channel=in=(beta,stable)"),
        *("channel=out=(beta,nightly)", "channel==Stable"),
        *(
            "chip==esp32s3",
            "chip==ESP32-S3",
            "chip!=esp32",
            "chip==ESP32*",
            "chip=in=(esp32,esp32s3)",
        ),
        *("chip=out=(esp32,esp32c6)", "chip==*"),
        *("board==lamp-v2", "board!=lamp-v1", "board==lamp-*", "board=in=(lamp-v1,lamp-v2)"),
        "board=out=(lamp-v1,lamp-v3)",
        *("revision==301", "revision==0301", "revision!=300", "revision=in=(300,301)"),
        *("revision=out=(1,2)", "revision<302", "revision<=301", "revision>300", "revision>=301"),
        *("revision=lt=302", "revision=le=301", "revision=gt=99", "revision=ge=301"),
        *("version==1.4", "version==v1.4.0", "version!=1.4.1", "version==1.4.*", "version==v1.*"),
        *("version=in=(1.3,1.4)", "version=out=(1.3,1.5)", "version<1.10", "version<=1.4"),
        *(
            "version>1.4.0-rc.1",
            "version>=1.4",
            "version=lt=1.4.1",
            "version=ge=1.4.0",
            "version==*",
        ),
        *("attr.colour=='warm white'", "attr.colour==warm*", "attr.hw.rev!=3", "attr.hw.rev==2"),
        *("attr.hw.rev=in=(1,2)", "attr.hw.rev=out=(3,4)", 'attr."a b"==""', "attr.none!=x"),
        *("attr.none=out=(x,y)", "attr.colour==*", "attr.none!=*", "attr.'a b'==*"),
    ],
)
def test_a_device_is_meant_where_the_comparison_holds(text):
    assert covers(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "id==board-8",
            "id==Board-7",
            "id!=board-7",
            "id!=b*",
            "id=in=(a,b)",
            "id=out=(board-7,b)",
        ),
        *("tag==attic", "tag==Kitchen", "tag!=kitchen", "tag!=k*", "tag=in=(attic,cellar)"),
        *("tag=out=(attic,kitchen)", "tag!=*"),
        *("channel==beta", "channel!=stable", "channel!=s*", "channel=in=(a,b)"),
        "channel=out=(stable,b)",
        *(
            "chip==esp32",
            "chip!=esp32s3",
            "chip!=ESP32-S3",
            "chip!=esp*",
            "chip=in=(esp32,esp32c6)",
        ),
        *("chip=out=(esp32s3,esp32)", "chip!=*"),
        *("board==Lamp-v2", "board!=lamp-v2", "board==lamp", "board=in=(a,b)"),
        "board=out=(lamp-v2,a)",
        *("revision==300", "revision!=301", "revision=in=(1,2)", "revision=out=(301,1)"),
        *("revision<301", "revision<=300", "revision>301", "revision>=302"),
        *("version==1.4.0-rc.1", "version!=1.4", "version!=1.*", "version=in=(1.3,1.5)"),
        *("version=out=(1.4,1.5)", "version<1.4", "version<=1.3.9", "version>1.4", "version>=1.10"),
        *("attr.colour==warm", "attr.Colour==*", "attr.hw.rev!=2", "attr.hw.rev=out=(2,3)"),
        *("attr.none==x", "attr.none=in=(x,y)", "attr.none==*", "attr.colour!=*"),
    ],
)
def test_a_device_is_not_meant_where_it_does_not(text):
    assert not covers(text)


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        *product(
            ("chip", "board", "revision", "version"), ("==1", "!=1", "=in=(1,2)", "=out=(1,2)")
        ),
        *product(("revision", "version"), ("<1", "<=1", ">0", ">=0")),
    ],
)
def test_a_fact_that_is_not_known_makes_no_device_part_of_anything(name, operator):
    assert not covers(f"{name}{operator}", UNKNOWN)


@pytest.mark.parametrize("name", ["chip", "board", "version"])
def test_a_star_alone_asks_whether_a_fact_is_known(name):
    assert covers(f"{name}==*", KNOWN)
    assert not covers(f"{name}==*", UNKNOWN)
    assert not covers(f"{name}!=*", UNKNOWN)


@pytest.mark.parametrize("name", ["tag", "attr.colour"])
def test_that_a_tag_or_attribute_is_absent_is_known(name):
    assert covers(f"{name}!=x", UNKNOWN)
    assert covers(f"{name}=out=(x,y)", UNKNOWN)
    assert covers(f"{name}!=*", UNKNOWN)
    assert not covers(f"{name}==*", UNKNOWN)
    assert not covers(f"{name}=in=(x,y)", UNKNOWN)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *(("revision>=300", True), ("revision>299", True), ("revision>=301", False)),
        *(("revision>300", False), ("revision==300", False), ("revision!=299", False)),
        *(("revision<400", False), ("revision<=400", False), ("revision=in=(300,301)", False)),
    ],
)
def test_of_a_least_revision_only_what_lies_below_is_known(text, meant):
    assert covers(text, replace(UNKNOWN, revision_min=300)) is meant


def test_a_word_for_a_version_is_itself_and_stands_below_every_number():
    nightly = replace(UNKNOWN, version="nightly")

    assert covers("version==nightly and version!=weekly and version==night*", nightly)
    assert covers("version<0.0.1", nightly)
    assert not covers("version>0.0.1", nightly)


def test_an_id_is_compared_as_the_registry_keeps_it():
    bulb = replace(UNKNOWN, id="24:0a:c4:00:00:01")

    assert covers("id==24-0A-C4-00-00-01", bulb)
    assert covers("id=in=(240A.C400.0001,x)", bulb)
    assert covers("id==24:0a:*", bulb)


def test_the_channel_that_counts_is_the_one_that_the_caller_says():
    device = replace(KNOWN, channel="beta")

    assert covers("channel==nightly", device, "nightly")
    assert not covers("channel==beta", device, "nightly")


# --- how it is spelt ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("tag==a;chip==esp32,tag==b", "tag==a and chip==esp32 or tag==b"),
        ("tag==a;(chip==esp32,tag==b)", "tag==a and (chip==esp32 or tag==b)"),
        ("((tag==a);((tag==b)))", "tag==a and tag==b"),
        ("tag==a AND tag==b Or tag==c", "tag==a and tag==b or tag==c"),
        ("(tag==a)and(tag==b)", "tag==a and tag==b"),
        (" tag\t== a\n; tag =IN= ( b , c ) ", "tag==a and tag=in=(b,c)"),
        ("tag=in=(a,a,b,a)", "tag=in=(a,b)"),
        ("tag=in=(a)", "tag==a"),
        ("tag=out=(a,a)", "tag!=a"),
        ("version=lt=v01.4", "version<1.4"),
        ("version=ge=1;version=gt=1;version=le=2", "version>=1 and version>1 and version<=2"),
        ("revision==0031", "revision==31"),
        ("chip=='ESP32-S3'", "chip==esp32s3"),
        ("channel==BETA", "channel==beta"),
        ("tag=='a'", "tag==a"),
        ('tag=="it\'s"', 'tag=="it\'s"'),
        ("tag=='it\\'s'", 'tag=="it\'s"'),
        ('tag=="\'\\"\\""', "tag=='\\'\"\"'"),
        ("tag=='a b**'", "tag=='a b*'"),
        ("tag=='\\*'", "tag=='\\*'"),
        ("tag=='\\\\'", "tag=='\\\\'"),
        ('attr."a b"==1;attr."c"==2', "attr.'a b'==1 and attr.c==2"),
        ("tag==and and tag==or", "tag==and and tag==or"),
    ],
)
def test_one_spelling_is_kept(written, kept):
    assert canonical(written) == kept
    assert canonical(kept) == kept


def test_selections_are_equal_whose_kept_spelling_is():
    one, same, other = map(Selection.parse, ("tag==a;tag==b", "(tag==a and tag==b)", "tag==b"))

    assert one == same
    assert len({one, same, other}) == 2


def test_and_binds_stronger_than_or():
    assert covers("tag==kitchen or tag==x and tag==y")
    assert not covers("(tag==kitchen or tag==x) and tag==y")


def test_a_star_behind_a_backslash_is_a_character():
    starry = replace(UNKNOWN, attributes={"x": "a*c"})

    assert covers("attr.x=='a\\*c'", starry)
    assert covers("attr.x=='a\\**'", starry)
    assert not covers("attr.x=='a\\*c'", replace(starry, attributes={"x": "abc"}))
    assert covers("attr.x=in=('a\\*c',b)", starry)


@pytest.mark.parametrize(
    ("text", "at", "right"),
    [
        ("tga==x", 1, "did you mean tag?"),
        ("Tag==x", 1, "did you mean tag?"),
        ("tag==a,revison==1", 8, "did you mean revision?"),
        ("attribute.x==1", 1, "did you mean attr?"),
        ("tag.x==1", 1, "did you mean tag?"),
        ("serial==1", 1, "known: id, tag, channel, chip, board, revision, version, attr"),
        ("attr==1", 1, "as in attr.colour"),
        ("attr.''==1", 1, "as in attr.colour"),
        (f"attr.{'x' * 129}==1", 1, "1 to 128 characters"),
        ("ta*==1", 1, "a name has no wildcard"),
        ("attr.'a*'==1", 1, "a name has no wildcard"),
        ("'tag'==a", 1, "a name such as tag or version belongs here"),
        ("==a", 1, "a name such as tag or version belongs here"),
        ("tag==a;", 8, "a name such as tag or version belongs here, not the end"),
        ("tag", 4, "an operator such as == after tag belongs here, not the end"),
        ("tag=a", 4, "write =="),
        ("tag==a=b", 7, "as in 'a=b'"),
        ("tag=like=a", 4, "did you mean =le=?"),
        ("tag==", 6, "a value for == belongs here, not the end"),
        ("tag==(a,b)", 6, "write =in=(a,b)"),
        ("tag=in=a", 8, "a list such as (a,b) belongs here"),
        ("tag=in=()", 9, "a value for =in= belongs here"),
        ("tag=in=(a b)", 11, ", or the ) of the list belongs here"),
        ("tag=in=((a))", 9, "a value for =in= belongs here"),
        ("(tag==a", 8, "the ) for the ( of character 1"),
        ("tag==a)", 7, "this ) closes nothing"),
        ("tag==a tag==b", 8, "and, or, or the end belongs here, not tag"),
        ("tag==a && tag==b", 8, "join comparisons by and, or"),
        ("tag=='a", 6, "nothing closes this '"),
        ("tag=='a\\n'", 8, "behind a \\ stands one of"),
        ("tag=='a\nb'", 6, "printable"),
        ("tag=='\0'", 6, "printable"),
        ("tag=='\ud800'", 6, "printable"),
        ("tag==''", 6, "tag==* means any"),
        ("tag=in=(a*,b)", 9, "with == and != only"),
        ("version<1.*", 9, "with == and != only"),
        ("tag<a", 1, "only revision and version compare by <"),
        ("attr.x>1", 1, "only revision and version compare by >"),
        ("version>nightly", 9, "it is no version number"),
        ("version==" + "1" * 65, 10, "at most 64 characters"),
        ("revision==3.1", 11, "whole number from 0 to 9999"),
        ("revision==3*", 11, "without *"),
        ("revision==10000", 11, "whole number from 0 to 9999"),
        ("chip=='?'", 7, "such as esp32s3"),
        ("channel=='a b'", 10, "1 to 32 of a-z"),
        ("id=='a b'", 5, "1 to 64 of"),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_what_is_right(text, at, right):
    detail = refusal(text)

    assert detail.startswith(f"selection, character {at}: ")
    assert right in detail


@pytest.mark.parametrize("nothing", [None, 7, "", " \n", b"tag==a", ["tag==a"], {}])
def test_what_says_nothing_is_refused_with_an_example(nothing):
    assert "such as tag==kitchen" in refusal(nothing)


# --- limits ------------------------------------------------------------------------------------


def test_a_text_has_a_length():
    longest = "tag==" + "a" * (TEXT_CHARACTERS_MAX - 5)

    assert canonical(longest) == longest
    assert "4,000 characters" in refusal(longest + "a")


def test_a_text_that_grows_when_it_is_kept_has_the_same_length():
    grows = "tag==b and id=in=(" + ",".join(f"240a.c400.{n:04x}" for n in range(260)) + ")"

    assert len(grows) < TEXT_CHARACTERS_MAX
    assert "4,000 characters, spelt in full" in refusal(grows)


def test_parentheses_have_a_depth():
    def nested(depth):
        return "(" * depth + "tag==a" + ")" * depth

    assert canonical(nested(DEPTH_MAX)) == "tag==a"
    assert "at most 20 deep" in refusal(nested(DEPTH_MAX + 1))


def test_comparisons_and_values_are_counted():
    assert Selection.parse(",".join(["tag==a"] * COMPARISONS_MAX))
    assert "at most 200 comparisons" in refusal(",".join(["tag==a"] * (COMPARISONS_MAX + 1)))
    assert Selection.parse(f"tag=in=({','.join(map(str, range(VALUES_MAX)))})")
    assert "at most 500 values" in refusal(f"tag=in=({','.join('a' * (VALUES_MAX + 1))})")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "(" * 4000,
            "'" * 3999,
            "'\\" * 2000,
            "=" * 4000,
            "=a" * 2000,
            "tag==" * 800,
            "a." * 2000,
        ),
        *("tag=='" + "*a" * 1997, "x" * 4000 + "==1", "attr." * 800, "tag=in=(" * 500, ";" * 4000),
        *("tag=='" + "\\" * 3994, " " * 4000, "tag==a;" * 571, "(tag==a;" * 500, '"' + "'" * 3999),
    ],
)
def test_no_text_takes_long(text):
    began = perf_counter()
    with pytest.raises(Invalid):
        Selection.parse(text)

    assert perf_counter() - began < 1


def test_no_wildcard_takes_long():
    many = Selection.parse("tag==" + "*a" * 1_900 + "*b")
    device = replace(UNKNOWN, tags=("a" * 100_000,))
    began = perf_counter()

    assert not many.covers(device, "stable")
    assert perf_counter() - began < 1


# --- building blocks ---------------------------------------------------------------------------


def test_several_selections_become_the_one_that_all_of_them_cover():
    assert all_of("tag==a,tag==b", "chip==ESP32;board==x", "version=lt=1") == (
        "(tag==a or tag==b) and chip==esp32 and board==x and version<1"
    )
    assert all_of("tag==a or tag==b") == "tag==a or tag==b"
    assert all_of() == ""


def test_what_is_too_much_together_is_refused():
    with pytest.raises(Invalid, match="comparisons"):
        all_of(*["tag==a"] * (COMPARISONS_MAX + 1))
    with pytest.raises(Invalid, match="selection, character 5"):
        all_of("tag==a", "tag ;")


def test_one_value_is_compared_and_several_are_listed():
    assert is_one_of("tag", ["a"]) == "tag==a"
    assert is_one_of("tag", ("a", "b c", "a")) == "tag=in=(a,'b c')"
    assert is_one_of("chip", ["ESP32", "esp32-s3"]) == "chip=in=(esp32,esp32s3)"
    assert is_one_of("attr.'a b'", ["*"]) == "attr.'a b'=='\\*'"
    with pytest.raises(Invalid):
        is_one_of("tag", [])
    with pytest.raises(Invalid, match="did you mean tag"):
        is_one_of("tags", ["a"])
    with pytest.raises(Invalid, match="a name such as tag"):
        is_one_of("tag==x,tag", ["a"])


printable = st.text(max_size=30).filter(str.isprintable)


@given(st.lists(printable, min_size=1, max_size=5), printable)
@example(["*"], "anything")
@example(["a'b\"c\\"], "")
def test_any_printable_value_is_quoted_so_that_it_means_itself(values, other):
    text = is_one_of("attr.x", values)

    assert all(covers(text, replace(UNKNOWN, attributes={"x": value})) for value in values)
    assert covers(text, replace(UNKNOWN, attributes={"x": other})) is (other in values)


# --- promises ----------------------------------------------------------------------------------

pieces = st.sampled_from(
    [
        *(
            *NAMES,
            *Operator,
            "=lt=",
            "=IN=",
            "attr.",
            "attr.x",
            "a",
            "1.4",
            "301",
            "'a b'",
            '"',
            "'",
        ),
        *(
            "(",
            ")",
            ",",
            ";",
            " and ",
            " or ",
            "*",
            "\\",
            "=",
            " ",
            "(a,b)",
            "tag==a",
            "revision>1",
        ),
    ]
)


@given(st.text(max_size=60) | st.lists(pieces, max_size=25).map("".join))
def test_any_text_is_a_selection_or_is_refused(text):
    try:
        kept = Selection.parse(text)
    except Invalid as refused:
        assert refused.detail.isprintable()
        return

    assert Selection.parse(kept.text) == kept
    assert kept.covers(KNOWN, "stable") is covers(kept.text)


words = st.sampled_from(["a", "ab", "b", "A", "esp32", "ESP32-S3", "kitchen", "a*", "*b"])
numbers = st.sampled_from(["0", "1", "300", "0301", "9999"])
releases = st.sampled_from(["1", "v1.0", "1.4.0-rc.1", "1.4", "01.04.0", "1.10", "2+build"])
hashes = st.sampled_from(["nightly", "4081234", "v4081234", "c873579-dirty", "1.*", "*"])
equal, ordered = st.sampled_from(["==", "!="]), st.sampled_from([*"<>", "<=", ">=", "=lt=", "=ge="])
listing = st.sampled_from(["=in=", "=out=", "=OUT="])
spaced = words | st.sampled_from(["'a b'", '"a b*"', "' '"])
named = st.sampled_from(["id", "chip"])
free = st.sampled_from(["tag", "board", "attr.x", "attr.'a b'"])


def lists_of(values):
    several = st.lists(values.filter(lambda value: "*" not in value), min_size=1, max_size=4)
    return several.map(lambda chosen: f"({','.join(chosen)})")


comparisons = st.one_of(
    st.tuples(named, equal, words),
    st.tuples(named, listing, lists_of(words)),
    st.tuples(free, equal, spaced),
    st.tuples(free, listing, lists_of(spaced)),
    st.tuples(st.just("channel"), equal, st.sampled_from(["stable", "Beta", "*a"])),
    st.tuples(st.just("revision"), equal | ordered, numbers),
    st.tuples(st.just("revision"), listing, lists_of(numbers)),
    st.tuples(st.just("version"), equal, releases | hashes),
    st.tuples(st.just("version"), ordered, releases),
    st.tuples(st.just("version"), listing, lists_of(releases | hashes)),
)
facts = st.none() | st.sampled_from(["a", "ab", "a b", "kitchen", "esp32", "esp32s3"])
devices = st.builds(
    Device,
    id=st.sampled_from(["a", "ab", "A", "kitchen"]),
    project=st.just("lamp"),
    chip=facts,
    board=facts,
    revision=st.none() | st.sampled_from([0, 1, 300, 301]),
    revision_min=st.none() | st.sampled_from([1, 300]),
    tags=st.lists(st.sampled_from(["a", "ab", "kitchen"]), unique=True).map(tuple),
    version=st.none() | releases | st.sampled_from(["nightly", "4081234", "1.4.0"]),
    attributes=st.dictionaries(st.sampled_from(["x", "a b"]), facts.filter(bool)),
)
channels = st.sampled_from(["stable", "beta"])


def trees(leaves, joins):
    """Texts of comparisons, joined at random, with and without parentheses."""

    def grown(inner):
        several = st.tuples(inner, joins, inner).map("".join)
        return several | several.map("({})".format) | inner.map("( {} )".format)

    return st.recursive(leaves, grown, max_leaves=12)


@given(
    trees(comparisons.map("".join), st.sampled_from([";", ",", " and ", " OR "])), devices, channels
)
def test_the_kept_spelling_is_kept_and_means_the_same(text, device, channel):
    assume(depth(text) <= DEPTH_MAX)
    written = Selection.parse(text)
    kept = Selection.parse(written.text)

    assert kept.text == written.text
    assert kept.covers(device, channel) is written.covers(device, channel)


@given(
    trees(st.integers(0, 5).map("tag==t{}".format), st.sampled_from([" and ", " or "])), st.data()
)
def test_and_or_and_parentheses_are_those_of_python(text, data):
    assume(depth(text) <= DEPTH_MAX)
    tags = data.draw(st.sets(st.integers(0, 5)))
    device = replace(UNKNOWN, tags=tuple(f"t{n}" for n in sorted(tags)))
    meant = eval(re.sub(r"tag==t(\d)", r"(\1 in tags)", text).strip(), {"tags": tags})

    assert covers(text, device) is meant
    assert covers(text.replace(" and ", ";").replace(" or ", ","), device) is meant


def depth(text):
    deepest = level = 0
    for sign in text:
        level += (sign == "(") - (sign == ")")
        deepest = max(deepest, level)
    return deepest


@given(comparisons.map("".join), comparisons.map("".join), devices, channels)
def test_all_of_covers_what_both_cover(one, other, device, channel):
    both = covers(one, device, channel) and covers(other, device, channel)

    assert covers(all_of(one, other), device, channel) is both


@given(st.text("ab*", min_size=1), st.text("ab", max_size=12))
@example("a*a", "a")
@example("ab*ba", "aba")
@example("*ab*ab*", "abab")
def test_a_wildcard_is_that_of_the_shell(pattern, fact):
    device = replace(UNKNOWN, attributes={"x": fact})

    assert covers(f"attr.x=={pattern}", device) is fnmatchcase(fact, pattern)
    assert covers(f"attr.x!={pattern}", device) is not fnmatchcase(fact, pattern)


@given(comparisons, devices, channels)
def test_what_is_not_known_never_adds_a_device(comparison, device, channel):
    name, operator, values = comparison
    unknown = replace(device, chip=None, board=None, revision=None, revision_min=None, version=None)
    if name in ("chip", "board", "revision", "version"):
        assert not covers(f"{name}{operator}{values}", unknown, channel)
    else:
        text = f"{name}{operator}{values}"
        assert covers(text, unknown, channel) is covers(text, device, channel)


# --- the page ----------------------------------------------------------------------------------


def test_every_example_of_the_page_is_a_selection():
    examples = [line for block in blocks(PAGE) for line in block.text.splitlines() if line]

    assert len(examples) > 5
    assert [line for line in examples if not Selection.parse(line)] == []


def test_the_page_names_every_name_operator_and_limit():
    page = PAGE.read_text()
    names = [f"| `{'attr.NAME' if name == 'attr' else name}` |" for name in NAMES]
    limits = (f"{TEXT_CHARACTERS_MAX:,}", str(DEPTH_MAX), str(COMPARISONS_MAX), str(VALUES_MAX))

    assert [name for name in names if name not in page] == []
    assert [operator for operator in Operator if f"`{operator}" not in page] == []
    assert [limit for limit in limits if f" {limit} " not in page] == []
