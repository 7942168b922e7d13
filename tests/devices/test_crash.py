"""Killed at any instant, the server starts again by itself and has kept every promise."""

import hashlib
import http.client
import os
import random
import sqlite3
import subprocess
import threading
import time
import uuid

from ota_http_server.domain.esp_sample import esp_application
from tests.fleet import EspIdf, Failed
from tests.running import Server, wait_until

ROUNDS = 3
IMAGES = [esp_application(payload_bytes=400_000, seed=seed) for seed in range(4)]


class Life:
    """Files are dropped, tokens minted and images downloaded until somebody says stop."""

    def __init__(self, server, downloading, looking):
        self.server, self.downloading, self.looking = server, downloading, looking
        self.promised, self.mixed = {}, []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._again, args=(work,))
            for work in (self.drop, self.mint, self.download)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _again(self, work):
        while not self._over.is_set():
            try:
                work()
            except (OSError, http.client.HTTPException, AssertionError, Failed):
                time.sleep(0.02)  # the server is away: that is what this is about

    def drop(self):
        self.server.drop("lamp", f"lamp-{random.randrange(6)}.bin", random.choice(IMAGES))
        self.server.get(f"/firmware/lamp/lamp-{random.randrange(6)}.bin", self.looking)

    def mint(self):
        device = str(uuid.uuid4())
        self.promised[device] = self.server.mint("lamp", device)

    def download(self):
        path = f"/firmware/lamp/lamp-{random.randrange(6)}.bin"
        image = EspIdf(self.server.port, path, self.downloading, 65_536).partial()
        if image not in IMAGES:
            self.mixed.append(path)


def test_a_killed_server_needs_no_repair_and_has_kept_what_it_promised(tmp_path):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    random.seed(seed)
    server = Server(tmp_path, "--workers", "2")
    promised, mixed = {}, []
    tokens = []
    try:
        for _ in range(ROUNDS):
            server.start()
            server.await_ready()
            tokens = tokens or [server.mint("lamp"), server.mint("lamp")]
            with Life(server, *tokens) as life:
                time.sleep(random.uniform(0.1, 0.8))
                server.kill()
            promised |= life.promised
            mixed += life.mixed
            assert_rows_have_bytes(tmp_path)
        partial = tmp_path / "data" / "blobs" / "0123456789abcdef.partial"
        partial.write_bytes(b"left behind")
        for left in partial.parent.glob("*.partial"):
            os.utime(left, (0, 0))
        server.start()
        server.await_ready()
        wait_until(lambda: not list(partial.parent.glob("*.partial")))
        lines = (tmp_path / "ota_audit.log").read_text()

        assert not mixed
        assert promised
        for device, minted in promised.items():
            assert lines.count(f"device={device} ") == 1
            assert server.get("/firmware/lamp/versions", minted).status == 200
        assert "Traceback" not in server.log
    finally:
        server.kill()
    verdict = subprocess.run(
        [*server.command[:3], "audit", "verify"], cwd=tmp_path, env=server.env, check=False
    )
    assert verdict.returncode == 0


def assert_rows_have_bytes(folder):
    with sqlite3.connect(folder / "data" / "ota.sqlite") as rows:
        digests = [digest for (digest,) in rows.execute("SELECT sha256 FROM files")]
    for digest in digests:
        content = (folder / "data" / "blobs" / digest[:2] / digest).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
