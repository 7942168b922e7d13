"""Two instances, two tokens, a file replaced at any moment: no board ever gets pieces of two."""

import tempfile
from hashlib import sha256
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ota_http_server.domain.esp_sample import esp_application
from tests.instance import Clock, Instance

IMAGES = [esp_application(payload_bytes=1024 + 256 * seed, seed=seed) for seed in range(4)]
BY_ETAG = {f'"{sha256(image).hexdigest()}"': image for image in IMAGES}
NAMES = ["lamp.bin", "other.bin"]

instances = st.integers(0, 1)
tokens = st.integers(0, 1)
names = st.sampled_from(NAMES)
offsets = st.integers(1, 1200)


class TwoInstances(RuleBasedStateMachine):
    """What each token began of each name is remembered here, and must be what it goes on with."""

    def __init__(self):
        super().__init__()
        # pylint: disable-next=consider-using-with  # it lives until `teardown`
        self.place = tempfile.TemporaryDirectory()
        folder = Path(self.place.name)
        self.clock = Clock()
        self.instances = [Instance(folder, self.clock), Instance(folder, self.clock)]
        for instance in self.instances:
            # pylint: disable-next=protected-access  # time does not pass by itself here
            instance.ota.begun._pause = self.while_one_waits
        self.tokens, self.holds, self.began = [], {}, {}

    def while_one_waits(self, _seconds):
        for instance in self.instances:
            instance.settle()

    @initialize(image=st.sampled_from(IMAGES))
    def a_first_image(self, image):
        for name in NAMES:
            self.instances[0].drop("lamp", name, image)
            self.holds[name] = image
        self.tokens = [self.instances[0].mint("lamp", expires_minutes=1440) for _ in "ab"]

    @rule(name=names, image=st.sampled_from(IMAGES))
    def replace(self, name, image):
        # No board begins, and goes on after a replacement, within the same fifth of a second.
        for instance in self.instances:
            instance.settle()
        self.clock.pass_seconds(5)
        self.instances[0].drop("lamp", name, image)
        self.holds[name] = image

    @rule(seconds=st.sampled_from([1, 60, 900]))
    def pass_time(self, seconds):
        self.clock.pass_seconds(seconds)
        self.began = {
            key: (image, at)
            for key, (image, at) in self.began.items()
            if self.clock.wall() - at < 3500
        }

    @rule(which=instances)
    def settle(self, which):
        self.instances[which].settle()

    @rule(which=instances, whose=tokens, name=names, length=st.integers(1, 2000))
    def begin(self, which, whose, name, length):
        answer = self.ask(which, whose, name, Range=f"bytes=0-{length - 1}")

        assert answer.data == self.holds[name][:length]
        self.has_begun(whose, name)

    @rule(which=instances, whose=tokens, name=names)
    def take_the_whole(self, which, whose, name):
        assert self.ask(which, whose, name).data == self.holds[name]
        self.has_begun(whose, name)

    @rule(which=instances, whose=tokens, name=names)
    def ask_for_the_length(self, which, whose, name):
        answer = self.ask(which, whose, name, method="HEAD")

        assert answer.headers["Content-Length"] == str(len(self.holds[name]))

    @rule(which=instances, whose=tokens, name=names, first=offsets, length=st.integers(1, 800))
    def go_on(self, which, whose, name, first, length):
        said = f"bytes={first}-{first + length - 1}"
        if (whose, name) in self.began:
            answer = self.ask(which, whose, name, Range=said)
        else:
            answer = self.ask(which, whose, name, or_else=503, Range=said)
            if answer.status_code == 503:  # a guess so soon after a replacement could be wrong
                return

        assert answer.status_code == 206
        image = BY_ETAG[answer.headers["ETag"]]
        assert answer.data == image[first : first + length]
        assert answer.headers["Content-Range"].endswith(f"/{len(image)}")
        if (whose, name) in self.began:
            assert image == self.began[whose, name][0]

    @rule(which=instances, whose=tokens, name=names, first=offsets)
    def go_on_if_it_is_the_new_one(self, which, whose, name, first):
        etag = f'"{sha256(self.holds[name]).hexdigest()}"'

        answer = self.ask(which, whose, name, Range=f"bytes={first}-", If_Range=etag)

        assert (answer.status_code, answer.data) == (206, self.holds[name][first:])
        self.has_begun(whose, name)

    def ask(self, which, whose, name, method="GET", or_else=200, **headers):
        path = f"/firmware/lamp/{name}"
        answer = self.instances[which].ask(method, path, self.tokens[whose], **headers)
        assert answer.status_code in (200, 206, or_else)
        return answer

    def has_begun(self, whose, name):
        self.began[whose, name] = (self.holds[name], self.clock.wall())

    def teardown(self):
        for instance in self.instances:
            instance.close()
        self.place.cleanup()


TestTwoInstances = TwoInstances.TestCase
TestTwoInstances.settings = settings(
    max_examples=10,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
