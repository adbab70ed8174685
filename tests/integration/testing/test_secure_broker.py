"""The broker with mutual TLS that tests borrow."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from typing import TYPE_CHECKING, Literal

import aiormq
import pytest
from yarl import URL

from lienthong.bus.admin import FULL_PERMISSIONS, BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.errors import MisconfiguredError
from lienthong.testing.secure_broker import running_secure_broker
from lienthong.topology.names import SUBMISSION, SubmissionKey, submission_key
from lienthong.topology.plan import agency_permissions, agency_plan, exchange_plan
from lienthong.trust import Credential
from lienthong.trust.development_connections import ConnectionAuthority

if TYPE_CHECKING:
    from pathlib import Path

    from lienthong.testing.secure_broker import SecureBroker

CODE = "H23"
KEY = submission_key(CODE, SubmissionKey.DOCUMENT)


@pytest.mark.parametrize("kind", ["native", "docker"])
def test_a_certificate_is_the_only_way_in(tmp_path: Path, kind: Literal["native", "docker"]) -> None:
    """Natively as in Docker: the certificate's name is the user, its user_id is taken, and no password is asked for."""
    running = running_secure_broker(tmp_path, kind=kind)
    try:
        broker = running.__enter__()
    except MisconfiguredError as reason:
        if kind == "native" and os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    try:
        asyncio.run(_enter(broker))
    finally:
        running.__exit__(None, None, None)


async def _enter(broker: SecureBroker) -> None:
    vhost = f"test-{uuid.uuid4().hex}"
    async with BrokerAdmin(broker.management_url) as admin:
        await admin.create_vhost(vhost)
        await admin.put_user("operator", None)
        await admin.set_permissions(vhost, "operator", FULL_PERMISSIONS)
        await admin.put_user(CODE, "a password")
        await admin.set_permissions(vhost, CODE, agency_permissions(CODE))
        async with Bus(broker.url("operator", vhost), name="test") as bus:
            await bus.declare(exchange_plan() + agency_plan(CODE))
        url = broker.url(CODE, vhost)
        async with Bus(url, name="test") as bus:
            message = Outgoing(SUBMISSION, KEY, str(uuid.uuid4()), b"x", user_id=CODE)
            assert await bus.publish_many([message]) == [None]
        await _revoke(broker, vhost)
        without = {name: value for name, value in URL(url).query.items() if name != "auth"}
        with pytest.raises(aiormq.AuthenticationError):
            await aiormq.connect(str(URL(url).with_query(without).with_password("a password")))
        assert f"user '{CODE}' authenticated and granted access to vhost '{vhost}'" in broker.log()


async def _revoke(broker: SecureBroker, vhost: str) -> None:
    """See that a revoked certificate is refused at the next connection, and the one that replaces it is not."""
    old = broker.authority.client(CODE)
    moved = broker.authority.folder / "old"
    Credential.load(old).save(moved)
    url = broker.url(CODE, vhost, certificate=moved)
    await (await aiormq.connect(url)).close()
    broker.authority.revoke(Credential.load(moved).certificate)
    with pytest.raises((aiormq.AMQPError, OSError)):
        await aiormq.connect(url)
    await (await aiormq.connect(broker.url(CODE, vhost))).close()
    assert "Certificate Revoked" in broker.log()


def test_the_list_of_what_is_revoked_is_found_by_its_name(tmp_path: Path) -> None:
    """The file is called what OpenSSL would call it: the broker looks for no other."""
    authority = ConnectionAuthority(tmp_path)
    (found,) = authority.crls.iterdir()
    said = subprocess.run(  # noqa: S603 - our own arguments
        ["/usr/bin/openssl", "crl", "-in", str(found), "-noout", "-hash"], check=True, capture_output=True, text=True
    )
    assert found.name == f"{said.stdout.strip()}.r0"
