"""Which image a request gets while files are replaced: two instances share folder and rows."""

from contextlib import nullcontext
from hashlib import sha256

import pytest
from filelock import FileLock

from ota_http_server.domain.errors import DiskFull
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.operations import reading_turns
from ota_http_server.operations.tidy import sweep
from tests.instance import Clock, Instance

X, Y, Z = (esp_application(payload_bytes=2048 + 512 * seed, seed=seed) for seed in range(3))
PATH = "/firmware/lamp/lamp.bin"


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="two")
def two_instances(tmp_path, clock):
    with Instance(tmp_path, clock) as one, Instance(tmp_path, clock) as other:
        yield one, other


@pytest.fixture(name="one")
def first_instance(two):
    return two[0]


@pytest.fixture(name="other")
def second_instance(two):
    return two[1]


@pytest.fixture(name="token")
def a_token(one):
    one.drop("lamp", "lamp.bin", X)
    return one.mint("lamp")


def replaced(instance, content):
    """The file is replaced, a moment after everything before."""
    instance.settle()
    instance.clock.pass_seconds(5)
    return instance.drop("lamp", "lamp.bin", content)


def etag(answer):
    return answer.headers["ETag"]


def test_a_begun_download_goes_on_with_its_image_on_the_instance_that_it_began_at(one, token):
    assert one.get(PATH, token, Range="bytes=0-99").data == X[:100]
    replaced(one, Y)

    assert one.get(PATH, token, Range="bytes=100-").data == X[100:]


def test_a_begun_download_goes_on_with_its_image_on_another_instance(one, other, token):
    began = one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)

    went_on = other.get(PATH, token, Range="bytes=100-")

    assert (went_on.data, etag(went_on)) == (X[100:], etag(began))
    assert went_on.headers["Last-Modified"] == began.headers["Last-Modified"]


def test_whoever_begins_anew_gets_what_the_folder_holds_now(one, other, token):
    one.get(PATH, token)
    replaced(one, Y)

    assert other.get(PATH, token).data == Y
    assert one.get(PATH, token, Range="bytes=0-9").data == Y[:10]


def test_who_only_asks_goes_on_with_what_it_has(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    new = etag(one.ask("HEAD", PATH, token))
    known = one.get(PATH, token, If_None_Match=new)
    other_wanted = one.get(PATH, token, If_Match='"0000"')

    assert (known.status_code, other_wanted.status_code) == (304, 412)
    assert other.get(PATH, token, Range="bytes=100-199").data == X[100:200]
    assert one.get(PATH, token, Range="bytes=200-").data == X[200:]


def test_a_head_and_then_the_first_bytes_begin_the_newest_image(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    length = int(one.ask("HEAD", PATH, token).headers["Content-Length"])
    first = other.get(PATH, token, Range="bytes=0-99")
    last = one.get(PATH, token, Range=f"bytes=100-{length - 1}")

    assert first.data + last.data == Y


def test_what_was_begun_and_is_gone_is_begun_anew_and_never_mixed(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    assert one.get(PATH, token, Range="bytes=100-199").data == X[100:200]
    one.ota.blobs.remove(sha256(X).hexdigest())

    refused = [ota.get(PATH, token, Range="bytes=200-") for ota in (one, other)]
    named = other.get(PATH, token, Range="bytes=200-", If_Range=f'"{sha256(X).hexdigest()}"')

    assert [(answer.status_code, answer.json["code"]) for answer in refused] == [
        (416, "begin_anew")
    ] * 2
    assert (named.status_code, named.data) == (200, Y)
    assert one.get(PATH, token, Range="bytes=0-99").data == Y[:100]
    assert other.get(PATH, token, Range="bytes=100-").data == Y[100:]


def test_an_immutable_url_whose_bytes_are_gone_is_not_there(one, token):
    url = one.get("/firmware/lamp/latest", token).json["url"].removeprefix("http://localhost")
    one.get(url, token, Range="bytes=0-99")
    replaced(one, Y)
    one.ota.blobs.remove(sha256(X).hexdigest())

    assert one.get(url, token, Range="bytes=100-").status_code == 404
    assert one.get(url, token).status_code == 404


def test_a_new_beginning_elsewhere_counts_at_once(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    other.get(PATH, token, Range="bytes=0-99")

    assert one.get(PATH, token, Range="bytes=100-").data == Y[100:]


def test_an_older_beginning_that_is_written_late_changes_nothing(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    one.clock.pass_seconds(5)
    one.drop("lamp", "lamp.bin", Y)
    other.get(PATH, token, Range="bytes=0-99")
    other.settle()
    one.settle()

    assert one.get(PATH, token, Range="bytes=100-").data == Y[100:]
    assert other.get(PATH, token, Range="bytes=100-").data == Y[100:]


def test_a_beginning_that_is_still_on_its_way_is_waited_for(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    one.drop("lamp", "lamp.bin", Y)
    # pylint: disable-next=protected-access  # time does not pass by itself here
    other.ota.begun._pause = lambda _seconds: one.settle()

    assert other.get(PATH, token, Range="bytes=100-").data == X[100:]


def test_what_nobody_knows_of_a_moment_after_a_replacement_is_refused_and_not_guessed(
    one, other, clock, token
):
    one.get(PATH, token, Range="bytes=0-99")
    one.drop("lamp", "lamp.bin", Y)

    early = other.get(PATH, token, Range="bytes=100-")
    clock.pass_seconds(2)
    while_the_writer_waits = other.get(PATH, token, Range="bytes=100-")
    one.settle()

    for refused in (early, while_the_writer_waits):
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    assert other.get(PATH, token, Range="bytes=100-").data == X[100:]


def test_the_middle_of_an_image_that_replaced_none_is_sent_to_whoever_asks(one, other, token):
    one.drop("lamp", "new.bin", Y)

    for ota in (one, other):
        answer = ota.get("/firmware/lamp/new.bin", token, Range="bytes=100-")
        assert (answer.status_code, answer.data) == (206, Y[100:])


def away(instance):
    """The database's file is moved away: whoever needs a row is told so."""
    place = instance.folder / "data" / "ota.sqlite"
    place.rename(place.with_name("elsewhere.sqlite"))


def test_the_ranges_of_an_image_that_replaced_none_need_one_look_into_the_database(one, token):
    one.ask("HEAD", PATH, token)
    one.clock.pass_seconds(2)  # in its first one a name may be given two images
    one.get(PATH, token, Range="bytes=100-199")
    away(one)

    assert one.get(PATH, token, Range="bytes=200-").data == X[200:]


def test_the_ranges_of_an_image_that_was_begun_since_need_one_look_on_each_instance(
    one, other, token
):
    replaced(one, Y)
    one.clock.pass_seconds(10)
    one.get(PATH, token, Range="bytes=0-99")
    one.clock.pass_seconds(10)
    one.get(PATH, token, Range="bytes=0-99")
    one.settle()
    other.get(PATH, token, Range="bytes=100-199")
    away(one)

    assert other.get(PATH, token, Range="bytes=200-").data == Y[200:]


def test_a_file_that_was_away_for_a_while_may_have_been_begun_too(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    (one.firmware / "lamp" / "lamp.bin").unlink()
    one.clock.pass_seconds(1)
    sweep(one.ota.collection, one.ota.stores.database, one.ota.release_folder)
    one.drop("lamp", "lamp.bin", Y)
    refused = other.get(PATH, token, Range="bytes=100-")
    one.settle()

    assert refused.status_code == 503
    assert other.get(PATH, token, Range="bytes=100-").data == X[100:]


def test_two_images_in_one_second_are_never_mixed(one, clock, token):
    clock.pass_seconds(1.1 - clock.wall() % 1)  # most of a second is left
    one.drop("lamp", "lamp.bin", Y)
    begun = one.get(PATH, token, Range="bytes=0-99").data
    one.get(PATH, token, Range="bytes=100-199")
    one.drop("lamp", "lamp.bin", Z)

    rest = one.get(PATH, token, Range="bytes=200-")

    assert begun == Y[:100]
    assert rest.data == Y[200:] or rest.status_code == 503


def test_two_first_images_in_one_second_are_never_mixed(one, clock):
    clock.pass_seconds(1.1 - clock.wall() % 1)
    one.drop("lamp", "lamp.bin", X)
    token = one.mint("lamp")
    begun = one.get(PATH, token, Range="bytes=0-99").data
    one.get(PATH, token, Range="bytes=100-199")
    one.drop("lamp", "lamp.bin", Y)

    rest = one.get(PATH, token, Range="bytes=200-")

    assert begun == X[:100]
    assert rest.data == X[200:] or rest.status_code == 503


def test_another_token_gets_the_new_image(one, other, clock, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    stranger = one.mint("lamp")
    assert one.get(PATH, stranger, If_None_Match="*").status_code == 304
    clock.pass_seconds(10)

    assert other.get(PATH, stranger, Range="bytes=100-").data == Y[100:]


def test_after_an_hour_nobody_is_held_to_an_old_image(one, other, clock):
    one.drop("lamp", "lamp.bin", X)
    token = one.mint("lamp", expires_minutes=120)
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    one.get("/firmware/lamp/versions", token)
    clock.pass_seconds(3601)

    assert other.get(PATH, token, Range="bytes=100-").data == Y[100:]


def test_a_download_within_the_hour_survives_several_replacements(one, other, clock):
    one.drop("lamp", "lamp.bin", X)
    token = one.mint("lamp", expires_minutes=120)
    one.get(PATH, token, Range="bytes=0-99")
    for content in (Y, Z, Y):
        replaced(one, content)
        clock.pass_seconds(900)
        assert other.get(PATH, token, Range="bytes=100-199").data == X[100:200]


def test_if_range_that_names_the_new_image_gets_the_new_one(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)
    new = etag(one.ask("HEAD", PATH, one.mint("lamp")))

    answer = other.get(PATH, token, Range="bytes=100-", If_Range=new)

    assert (answer.status_code, answer.data, etag(answer)) == (206, Y[100:], new)
    assert other.get(PATH, token, Range="bytes=200-").data == Y[200:]


def test_if_range_that_names_the_begun_image_gets_that_one(one, other, token):
    old = etag(one.get(PATH, token, Range="bytes=0-99"))
    replaced(one, Y)

    answer = other.get(PATH, token, Range="bytes=100-", If_Range=old)

    assert (answer.status_code, answer.data, etag(answer)) == (206, X[100:], old)


def test_if_range_that_names_neither_gets_the_whole_of_the_new_one(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    replaced(one, Y)

    answer = other.get(PATH, token, Range="bytes=100-", If_Range='"0000"')

    assert (answer.status_code, answer.data) == (200, Y)
    assert one.get(PATH, token, Range="bytes=100-").data == Y[100:]


def test_an_immutable_url_goes_on_after_a_replacement_for_whoever_began_it(
    one, other, clock, token
):
    url = one.get("/firmware/lamp/latest", token).json["url"].removeprefix("http://localhost")
    one.get(url, token, Range="bytes=0-99")
    replaced(one, Y)

    assert other.get(url, token, Range="bytes=100-").data == X[100:]
    clock.pass_seconds(10)
    # A device took the release up, so it stays as it is; the file's own name has the new bytes.
    assert other.get(url, one.mint("lamp")).data == X
    assert other.get(PATH, one.mint("lamp")).data == Y


@pytest.mark.parametrize("url", [PATH, "immutable"])
def test_a_begun_download_goes_on_while_a_new_file_is_being_copied(one, other, token, url):
    if url == "immutable":
        url = one.get("/firmware/lamp/latest", token).json["url"].removeprefix("http://localhost")
    one.get(url, token, Range="bytes=0-99")
    one.settle()
    (one.firmware / "lamp" / "lamp.bin").write_bytes(Y[:1000])

    assert other.get(url, token, Range="bytes=100-").data == X[100:]
    assert other.get(PATH, token).status_code == 404
    assert other.get(PATH, one.mint("lamp"), Range="bytes=100-").status_code == 404
    assert other.get(PATH, one.mint("other"), Range="bytes=100-").status_code == 404


@pytest.mark.parametrize("why", ["no room", "read by another"])
def test_a_begun_download_goes_on_while_the_new_file_cannot_be_taken_in(
    one, other, token, why, monkeypatch
):
    one.get(PATH, token, Range="bytes=0-99")
    one.settle()
    one.drop("lamp", "lamp.bin", Y)
    if why == "no room":
        monkeypatch.setattr(other.ota.blobs, "_free_bytes_min", 2**62)
    else:
        monkeypatch.setattr(reading_turns, "WAIT_SECONDS_MAX", 0.05)
    lock = FileLock(one.ota.blobs.lock_path("lamp/lamp.bin"))
    with lock if why == "read by another" else nullcontext():
        went_on = other.get(PATH, token, Range="bytes=100-")
        anew = other.get(PATH, token)

    assert (went_on.status_code, went_on.data) == (206, X[100:])
    assert anew.status_code == (507 if why == "no room" else 503)


def test_a_removed_file_is_gone_even_for_whoever_began_it(one, token):
    one.get(PATH, token, Range="bytes=0-99")
    (one.firmware / "lamp" / "lamp.bin").unlink()

    assert one.get(PATH, token, Range="bytes=100-").status_code == 404


def test_beginnings_that_could_not_be_written_are_written_later(one, other, token):
    one.get(PATH, token, Range="bytes=0-99")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(one.ota.stores.database, "change", unavailable)
        one.ota.begun.write()
    replaced(one, Y)

    assert other.get(PATH, token, Range="bytes=100-").data == X[100:]


def unavailable(_work):
    raise DiskFull("the disk of the database is full")
