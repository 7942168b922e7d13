"""The secret that signs tokens is changed while devices hold tokens of the old one."""

import pytest

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.operations.check_safety import unsafe
from tests.instance import JWT_SECRET, Instance

NEXT = "the signing secret that follows, long enough as well"
PATH = "/firmware/lamp/versions"


@pytest.fixture(name="opened")
def an_opener(tmp_path):
    """Instances on one folder, each with secrets of its own."""
    instances = []

    def opened(**secrets):
        instances.append(Instance(tmp_path, **secrets))
        (instances[-1].firmware / "lamp").mkdir(exist_ok=True)
        return instances[-1]

    yield opened
    for instance in instances:
        instance.close()


def accepts(instances, token):
    return [instance.get(PATH, token).status_code for instance in instances]


def test_at_no_moment_of_a_rolling_change_is_a_token_refused(opened):
    before = {"jwt_secret": JWT_SECRET}
    both = {"jwt_secret": JWT_SECRET, "jwt_secret_also": NEXT}
    swapped = {"jwt_secret": NEXT, "jwt_secret_also": JWT_SECRET}
    # First everybody learns the next secret, then everybody signs with it.
    for old, new in ((before, both), (both, swapped)):
        instances = [opened(**old), opened(**new)]
        for minting in instances:
            assert accepts(instances, minting.mint("lamp")) == [200, 200]


def test_afterwards_the_old_secret_is_worth_nothing(opened):
    old = opened(jwt_secret=JWT_SECRET)
    new = opened(jwt_secret=NEXT)

    assert accepts([new], old.mint("lamp")) == [401]
    assert accepts([new], new.mint("lamp")) == [200]


def test_no_token_is_minted_with_the_other_secret(opened):
    both = opened(jwt_secret=NEXT, jwt_secret_also=JWT_SECRET)

    assert accepts([opened(jwt_secret=JWT_SECRET)], both.mint("lamp")) == [401]


def test_a_revoked_token_of_the_old_secret_stays_revoked(opened):
    token = opened(jwt_secret=JWT_SECRET).mint("lamp")
    both = opened(jwt_secret=NEXT, jwt_secret_also=JWT_SECRET)
    assert accepts([both], token) == [200]

    both.admin("/admin/revoke_token", {"token": token})

    assert accepts([both], token) == [401]


def test_weak_and_equal_secrets_are_told_of(opened):
    secrets = opened(jwt_secret=JWT_SECRET, jwt_secret_also="changeme").ota.stores.secrets
    how = {"algorithm": "HS256", "tokens_off": False, "plain_http": False, "public": False}

    said = unsafe(secrets, database_file=None, **how)

    assert any(warning.startswith("jwt_secret_also is weak") for warning in said)
    assert "changeme" not in repr(secrets) + " ".join(said)


def test_what_cannot_be_a_secret_is_refused_at_the_start(opened):
    with pytest.raises(Misconfigured, match="jwt_secret"):
        opened(jwt_secret=JWT_SECRET, jwt_secret_also='{"kty":"oct","k":"c2VjcmV0"}')
