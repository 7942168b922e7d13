"""What one process of a server has to let devices in, without any door."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ota_http_server.domain.device_key import signed_words
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.project import Project
from ota_http_server.operations.admit_key import AdmitKey
from ota_http_server.operations.ask_with_key import AskWithKey, SignedWords
from ota_http_server.operations.claim import Claims, ClaimWish
from ota_http_server.operations.enroll import Enroll
from ota_http_server.operations.look_after_device import LookAfterDevice
from ota_http_server.operations.mint_with_key import MintWithKey
from ota_http_server.operations.news import News
from ota_http_server.operations.redeem_claim import RedeemClaim
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.verify_credential import CredentialVerifier
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.security.challenges import Challenges
from ota_http_server.security.claim_codes import ClaimCodes
from ota_http_server.security.credentials import Opaque
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.devices import Wanted

SHELL = Operator("shell", None)
SECRET = "a secret that only tests know, long enough"
ADDRESS = "192.0.2.7"
DEVICES_MAX = 50


def operator(role="operator", project=None):
    return Operator("someone", "192.0.2.1", Role[role.upper()], project)


class Process:
    """`monotonic` stands still: news come when they are asked for."""

    def __init__(self, database, clock, devices_max=DEVICES_MAX):
        self.database, self.clock = database, clock
        tokens, opaque = Tokens(SECRET), Opaque(SECRET)
        self.codes, self.challenges = ClaimCodes(SECRET), Challenges(SECRET)
        self.news = News(database, monotonic=lambda: 0.0)
        self.registry = Registry(database, self.news, lambda: clock.now.timestamp())
        self.verifier = TokenVerifier(tokens, database, monotonic=lambda: 0.0)
        self.credentials = CredentialVerifier(self.verifier, opaque, database)
        ours = (database, self.news, self.registry, self.verifier)
        self.enroll = Enroll(database, opaque, *ours[1:], devices_max=devices_max)
        self.claims = Claims(database, self.codes)
        self.redeem = RedeemClaim(database, self.codes, opaque, *ours[1:], devices_max=devices_max)
        self.admit = AdmitKey(*ours, devices_max=devices_max)
        self.ask = AskWithKey(database, self.challenges, self.news, devices_max=devices_max)
        self.mint = MintWithKey(
            database, self.challenges, tokens, opaque, self.verifier, lifetime_minutes=30
        )
        self.look_after = LookAfterDevice(*ours)

    def who(self, text):
        """Whom a credential or token speaks for, here and now; `Unauthenticated` if for nobody."""
        return self.credentials.verify(text, self.clock.second)[0]

    def device(self, device_id="board"):
        with self.database.reading() as rows:
            return rows.devices.get(device_id)

    def given(self, device_id="board"):
        """The rows of the device's credentials."""
        with self.database.reading() as rows:
            return rows.credentials.of_device(device_id)

    def events(self, *actions):
        with self.database.reading() as rows:
            found = rows.events.page(0, 500)
        return [event for event in found if not actions or event.action in actions]

    def code(self, devices=1, project="lamp", **more):
        return self.claims.create(SHELL, ClaimWish.of(project, devices, **more)).code

    def comes(self, device_id="board"):
        """What a check-in leaves behind."""
        self.registry.saw(device_id, ADDRESS)
        self.registry.write()

    def takes_keys(self, project="lamp"):
        self.database.change(
            lambda tx: tx.projects.put(Project(name=project, accepts_keys=True, edition=1))
        )

    def everything(self):
        """All rows that a stranger could have an influence on."""
        with self.database.reading() as rows:
            return (
                rows.claims.page(None, 0, 99),
                rows.device_keys.page(None, None, "", 9_999),
                rows.devices.page(Wanted(), "", 99),
                rows.credentials.starting("", 99),
                rows.events.page(0, 999),
                rows.counters.all(),
            )


class KeyPair:
    """A board's own, P-256 unless told otherwise."""

    def __init__(self, kind="p256"):
        self.private = (
            ec.generate_private_key(ec.SECP256R1())
            if kind == "p256"
            else ed25519.Ed25519PrivateKey.generate()
        )

    @property
    def pem(self):
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, words):
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return b64encode(self.private.sign(words)).decode()
        return b64encode(self.private.sign(words, ec.ECDSA(SHA256()))).decode()

    def words(self, challenge, device="board", project="lamp"):
        signature = self.sign(signed_words(project, device, challenge))
        return SignedWords.of(project, device, challenge, signature)
