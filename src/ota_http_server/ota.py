"""The operations on opened stores: what every door, HTTP or the command line, works with.

Like `app`, which puts the doors on top, this is wiring: arguments in, a parts list out.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.operations.admit_key import AdmitKey
from ota_http_server.operations.ask_with_key import AskWithKey
from ota_http_server.operations.begin_rollout import BeginRollout
from ota_http_server.operations.begun_downloads import BegunDownloads
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.change_release import ChangeRelease
from ota_http_server.operations.check_in import CheckIn
from ota_http_server.operations.claim import Claims
from ota_http_server.operations.collect import Collection
from ota_http_server.operations.describe_project import DescribeProject
from ota_http_server.operations.download import Download
from ota_http_server.operations.enroll import Enroll
from ota_http_server.operations.explain import Explain
from ota_http_server.operations.give_key import GiveKey
from ota_http_server.operations.look_after_device import LookAfterDevice
from ota_http_server.operations.mint_token import MintToken
from ota_http_server.operations.mint_with_key import MintWithKey
from ota_http_server.operations.news import News
from ota_http_server.operations.prepare import Places, Secrets, prepare
from ota_http_server.operations.progress import Progress
from ota_http_server.operations.publish_release import PublishRelease
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.receive_image import ReceiveImage
from ota_http_server.operations.redeem_claim import RedeemClaim
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.release_folder import ReleaseFolder
from ota_http_server.operations.report import Report
from ota_http_server.operations.revoke_token import RevokeToken
from ota_http_server.operations.roll_out import RollOut
from ota_http_server.operations.settle_project import SettleProject
from ota_http_server.operations.steady_clock import SteadyClock
from ota_http_server.operations.stop_offers import StopOffers
from ota_http_server.operations.try_admin_secret import AdminGate
from ota_http_server.operations.unreached import Unreached
from ota_http_server.operations.verify_credential import CredentialVerifier
from ota_http_server.operations.verify_key import KeyVerifier
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.security.challenges import Challenges
from ota_http_server.security.claim_codes import ClaimCodes
from ota_http_server.security.credentials import Opaque
from ota_http_server.security.secrets import same_secret
from ota_http_server.security.tokens import Tokens
from ota_http_server.settings import Settings
from ota_http_server.storage.audit_head import AuditHead
from ota_http_server.storage.blobs import Blobs
from ota_http_server.storage.database import Clock, Database, now_utc, run_here
from ota_http_server.storage.folder import Folder
from ota_http_server.storage.journal import FileJournal

Run = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Host:
    """What the process that runs the application lends it. The defaults suit any WSGI server.

    Work given to one of the two must not give work to the other: it would wait in a thread that
    gevent does not know how to wake.
    """

    stopping: Callable[[], bool] = lambda: False
    in_thread: Run = run_here
    in_writer: Run = run_here
    clock: Clock = now_utc
    """For what is written down."""
    wall: Callable[[], float] = time.time
    """The same time as unix seconds: asked for at every request, so no object is made of it."""
    monotonic: Callable[[], float] = time.monotonic
    processes: int = 1
    """How many of them share what is allowed to the whole instance."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Rows, bytes and secrets, opened."""

    database: Database
    journal: FileJournal
    places: Places
    secrets: Secrets

    @property
    def audit_head_path(self) -> Path:
        return self.places.audit_head

    @property
    def audit_key(self) -> bytes:
        return self.secrets.audit


@dataclass(frozen=True, slots=True)
class Ota:
    """A parts list."""

    stores: Stores
    verifier: TokenVerifier
    credentials: CredentialVerifier
    opaque: Opaque
    news: News
    blobs: Blobs
    collection: Collection
    begun: BegunDownloads
    release_folder: ReleaseFolder
    catalog: Catalog
    registry: Registry
    brake: Brake
    steady: SteadyClock
    reach: ReachNow
    begin_rollout: BeginRollout
    roll_out: RollOut
    stop: StopOffers
    progress: Progress
    check_in: CheckIn
    report: Report
    explain: Explain
    publish: PublishRelease
    change_release: ChangeRelease
    download: Download
    describe: DescribeProject
    mint: MintToken
    revoke: RevokeToken
    gate: AdminGate
    keys: GiveKey
    projects: SettleProject
    key_verifier: KeyVerifier
    enroll: Enroll
    claims: Claims
    redeem_claim: RedeemClaim
    admit_key: AdmitKey
    ask_with_key: AskWithKey
    mint_with_key: MintWithKey
    look_after: LookAfterDevice

    def flush(self) -> None:
        """Writes what was only gathered in memory; before the process ends."""
        self.begun.write()
        self.progress.write()
        self.registry.write()
        self.gate.gather(all_minutes=True)


def open_stores(settings: Settings, host: Host | None = None) -> Stores:
    """Opens everything, making on a first start what is missing; raises `Misconfigured`."""
    host = host or Host()
    places = Places(settings.data_dir)
    secrets = prepare(
        places,
        settings.database_address,
        jwt_secret=settings.jwt_secret,
        admin_secret=settings.admin_secret,
        device_secret=settings.device_secret,
        jwt_secret_also=settings.jwt_secret_also,
    )
    journal = FileJournal(settings.ota_audit_log, AuditHead(places.audit_head, secrets.audit))
    database = Database(
        settings.database_address, clock=host.clock, run=host.in_writer, journal=journal
    )
    return Stores(database, journal, places, secrets)


def open_ota(settings: Settings, host: Host | None = None) -> Ota:
    """The operations, ready to be called."""
    host = host or Host()
    stores = open_stores(settings, host)
    database, secrets = stores.database, stores.secrets
    tokens = Tokens(secrets.jwt, settings.jwt_alg, settings.jwt_expiry_max * 60, secrets.jwt_also)
    verifier = TokenVerifier(tokens, database, monotonic=host.monotonic)
    blobs = Blobs(stores.places.blobs, _group(settings.transfer_group))
    collection = Collection(
        Folder(settings.firmware_path),
        blobs,
        database,
        image_bytes_max=settings.image_bytes_max,
        in_thread=host.in_thread,
        monotonic=host.monotonic,
        wall=host.wall,
    )
    begun = BegunDownloads(database, wall=host.wall)
    opaque, codes = Opaque(secrets.devices), ClaimCodes(secrets.devices)
    challenges = Challenges(secrets.devices)
    news = News(database, monotonic=host.monotonic)
    release_folder = ReleaseFolder(database, collection)
    catalog = Catalog(database, news, release_folder)
    registry = Registry(database, news, host.wall)
    steady = SteadyClock(host.wall, host.monotonic)
    brake = Brake(database, news, stores.places.data, monotonic=host.monotonic)
    reach = ReachNow(
        database,
        news,
        brake,
        downloads_max=settings.downloads_max or None,
        monotonic=host.monotonic,
    )
    return Ota(
        stores=stores,
        verifier=verifier,
        credentials=CredentialVerifier(verifier, opaque, database),
        opaque=opaque,
        news=news,
        blobs=blobs,
        collection=collection,
        begun=begun,
        release_folder=release_folder,
        catalog=catalog,
        registry=registry,
        brake=brake,
        steady=steady,
        reach=reach,
        begin_rollout=BeginRollout(database, news),
        roll_out=RollOut(database, news, registry),
        stop=StopOffers(database, news, brake),
        progress=Progress(database, registry),
        check_in=CheckIn(
            database,
            catalog,
            registry,
            reach,
            steady,
            poll_seconds=settings.poll_seconds,
            devices_max=settings.devices_max,
        ),
        report=Report(database, registry),
        explain=Explain(database, reach),
        change_release=ChangeRelease(database, news),
        publish=PublishRelease(
            database,
            ReceiveImage(blobs, image_bytes_max=settings.image_bytes_max, in_thread=host.in_thread),
            news,
        ),
        download=Download(database, collection, begun, catalog),
        describe=DescribeProject(collection, catalog, database, Unreached(registry, reach)),
        mint=MintToken(
            database,
            tokens,
            collection,
            firmware_prefix(settings),
            devices_max=settings.devices_max,
        ),
        revoke=RevokeToken(database, tokens, verifier),
        gate=AdminGate(database, lambda given: same_secret(given, secrets.admin), host.clock),
        keys=GiveKey(database, news),
        projects=SettleProject(database, news),
        key_verifier=KeyVerifier(database, news),
        enroll=Enroll(database, opaque, news, registry, verifier, devices_max=settings.devices_max),
        claims=Claims(database, codes),
        redeem_claim=RedeemClaim(
            database,
            codes,
            opaque,
            news,
            registry,
            verifier,
            devices_max=settings.devices_max,
        ),
        admit_key=AdmitKey(database, news, registry, verifier, devices_max=settings.devices_max),
        ask_with_key=AskWithKey(database, challenges, news, devices_max=settings.devices_max),
        mint_with_key=MintWithKey(
            database,
            challenges,
            tokens,
            opaque,
            verifier,
            lifetime_minutes=settings.jwt_expiry,
        ),
        look_after=LookAfterDevice(database, news, registry, verifier),
    )


@contextmanager
def opened_ota(settings: Settings) -> Iterator[Ota]:
    """The same for one command: at the end of the block the database is closed."""
    ota = open_ota(settings)
    try:
        yield ota
    finally:
        ota.stores.database.close()


def firmware_prefix(settings: Settings) -> str:
    return f"/{settings.url_firmware.strip('/')}/"


def _group(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        import grp  # pylint: disable=import-outside-toplevel  # there is none on Windows

        return grp.getgrnam(name).gr_gid
    except (ImportError, KeyError):
        raise Misconfigured(f"transfer_group: there is no group {name!r} here") from None
