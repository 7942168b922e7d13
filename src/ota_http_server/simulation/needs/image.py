"""The needs that every client has of the answer with an image, and looking at such an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5

from ota_http_server.domain.errors import Refusal
from ota_http_server.domain.image import BytesSource, read_image
from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.needs.finding import Need, Notes
from ota_http_server.simulation.needs.probe import Probe
from ota_http_server.simulation.redirects import Rules

ESP_BYTE = b"\xe9"


@dataclass(frozen=True)
class ImageNeeds:
    status: Need
    redirect: Need
    time: Need
    length: Need
    identity: Need
    whole: Need
    magic: Need
    sound: Need
    md5: Need

    @classmethod
    def of(
        cls,
        seconds: float,
        *,
        status: str,
        redirect: str,
        redirect_rule: str = "redirects are absolute and stay on https",
        length: str = "it gives up: it does not know the size",
        cut: str = "it gives up and begins anew later",
        magic: str = "0xE9",
        wrong_magic: str = "it refuses the image",
        wrong_md5: str = "it does not look at it",
    ) -> "ImageNeeds":
        """The needs of a client; the words say what it does where one is missing."""
        return cls(
            Need(
                "the image is answered with 200",
                status,
                "check the URL, the token and what the server's log says about this request",
            ),
            Need(
                redirect_rule,
                redirect,
                "serve the image itself at this URL, or send an absolute https Location",
            ),
            Need(
                f"the first byte comes within {seconds:g} seconds",
                "it gives up with a time-out, and asks for the same again",
                "have the image ready before it is asked for; no work at request time",
            ),
            Need(
                "Content-Length with the image, and no chunks",
                length,
                "send Content-Length; in a proxy switch compression and chunking off here",
            ),
            Need(
                "no Content-Encoding on the image",
                "it flashes the compressed bytes, or refuses them",
                "switch compression off for images (nginx: gzip off; Cache-Control: no-transform)",
            ),
            Need(
                "as many bytes come as Content-Length says",
                cut,
                "look for time-outs and size limits in the server and its proxies",
            ),
            Need(
                f"the first byte of the image is {magic}",
                wrong_magic,
                "serve the application image (firmware.bin), not an archive, ELF or web page",
            ),
            Need(
                "the image is sound: sizes, checksum and digest are right",
                "it downloads all of it, refuses it, and does so again the next time",
                "build or copy the file again; upload in binary mode",
            ),
            Need(
                "x-MD5, if it is sent, is the lower-case MD5 of the body",
                wrong_md5,
                "compute it from the bytes that are sent, or leave it out",
            ),
        )

    def all(self) -> tuple[Need, ...]:
        ends = (self.whole, self.magic, self.sound, self.md5)
        return (self.status, self.redirect, self.time, self.length, self.identity, *ends)


@dataclass(frozen=True, slots=True)
class ImageLook:
    """How one client fetches an image."""

    needs: ImageNeeds
    seconds: float
    rules: Rules
    first_bytes: bytes = ESP_BYTE

    def fetch(
        self, probe: Probe, address: Address, render: Callable[[Address], bytes]
    ) -> tuple[Address, Answer]:
        """Fetches it and judges what came; where it was found at last, and the answer."""
        needs, notes = self.needs, probe.notes

        def ask(there: Address) -> Answer:
            return probe.ask(there, render(there), whole=needs.whole)

        address, answer = probe.follow(address, ask, self.rules, needs.redirect)
        if self.rules.most:
            notes.untried(needs.redirect, "there was none")
        else:
            notes.judge(needs.redirect, not answer.is_redirect, f"{answer.status}")
        self.judge(notes, answer)
        return address, answer

    def judge(self, notes: Notes, answer: Answer) -> None:
        needs = self.needs
        found = str(answer.status) + (" for no update" if answer.status == 304 else "")
        notes.demand(needs.status, answer.status in (200, 304), found)
        waited = f"{answer.first_byte_seconds:.1f} s"
        notes.judge(needs.time, answer.first_byte_seconds < self.seconds, waited)
        if answer.status == 304:
            raise notes.end("the server answered 304: no update")
        judge_framing(notes, needs, answer)
        judge_bytes(notes, needs, answer, self.first_bytes)


def judge_framing(notes: Notes, needs: ImageNeeds, answer: Answer) -> None:
    ways = {"length": f"{answer.length} bytes", "chunked": "chunked", "close": "no length at all"}
    notes.judge(needs.length, answer.framing_used == "length", ways.get(answer.framing_used, ""))
    coding = answer.headers.get("content-encoding", "identity")
    notes.judge(needs.identity, coding == "identity", coding)
    if answer.framing_used == "length":
        notes.ok(needs.whole, f"{len(answer.body)} bytes")
    else:
        notes.untried(needs.whole, "there is no length to compare with")


def judge_bytes(notes: Notes, needs: ImageNeeds, answer: Answer, first_bytes: bytes) -> None:
    """The image itself, and the digest that came with it."""
    if notes.judge(
        needs.magic, answer.body[:1] in first_bytes and answer.body != b"", _shown(answer)
    ):
        try:
            facts = read_image(BytesSource(answer.body))
            named = " ".join(filter(None, (facts.format, facts.project, facts.version, facts.chip)))
            notes.ok(needs.sound, named)
        except Refusal as refusal:
            notes.broken(needs.sound, refusal.detail)
    else:
        notes.untried(needs.sound, "it is no image for this client")
    said = answer.headers.get("x-md5")
    counted = md5(answer.body, usedforsecurity=False).hexdigest()
    if said is None:
        notes.ok(needs.md5, "none is sent")
    else:
        notes.judge(
            needs.md5, said == counted, said if said == counted else f"{said}, not {counted}"
        )


def _shown(answer: Answer) -> str:
    begins = answer.body[:4]
    text = begins.decode("ascii") if begins.isascii() and begins.decode().isprintable() else ""
    return f"it begins {begins.hex(' ') or 'with nothing'}" + (f" ({text!r})" if text else "")
