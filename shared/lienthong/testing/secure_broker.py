"""A RabbitMQ as agencies reach it in production: mutual TLS, EXTERNAL only; for as long as a block lasts."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from yarl import URL

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing.answers import await_answer
from lienthong.testing.servers import START_SECONDS
from lienthong.trust.development_connections import ConnectionAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["SecureBroker", "running_secure_broker"]


@dataclass(frozen=True, slots=True)
class SecureBroker:
    """Where it is.

    Attributes:
        port: the port of AMQP over TLS, on 127.0.0.1.
        management_url: URL of its management API, for an administrator: ``http://user:password@host:port``.
        authority: whose certificates it takes.
        description: which broker it is: ``RabbitMQ 4.0.5 in Docker``.
        log: returns what it has logged so far.
    """

    port: int
    management_url: str
    authority: ConnectionAuthority
    description: str
    log: Callable[[], str]

    def url(self, user: str, vhost: str, *, certificate: Path | None = None) -> str:
        """Return the AMQP URL with which somebody connects.

        Args:
            user: the user of the broker.
            vhost: the virtual host.
            certificate: ``PATH`` of ``PATH.pem`` and ``PATH.key``; one is issued to the user when left out.
        """
        files = certificate or self.authority.client(user)
        url = URL.build(scheme="amqps", user=user, host="127.0.0.1", port=self.port, path=f"/{vhost}")
        return str(
            url.with_query(
                auth="EXTERNAL",
                cafile=str(self.authority.certificate_file),
                certfile=f"{files}.pem",
                keyfile=f"{files}.key",
            )
        )


@contextmanager
def running_secure_broker(
    folder: Path, *, kind: Literal["auto", "docker", "native"] = "auto"
) -> Iterator[SecureBroker]:
    """Provide such a broker, and stop it afterwards.

    Args:
        folder: where certificates, and a native server's files, are kept.
        kind: ``docker`` and ``native`` allow only that way; ``auto`` tries them in this order.

    Raises:
        MisconfiguredError: no way is open here; the text has the reason for each.
    """
    authority = ConnectionAuthority(folder / "connections")
    reasons: list[str] = []
    for way in ("docker", "native") if kind == "auto" else (kind,):
        with ExitStack() as attempt:
            try:
                # Only here, because importing the engine's client takes a third of a second.
                if way == "docker":
                    from lienthong.testing import docker  # noqa: PLC0415 - see above

                    docker.prepare(docker.BROKER_IMAGE)
                    server = attempt.enter_context(docker.docker_broker(authority))
                else:
                    from lienthong.testing import native  # noqa: PLC0415 - beside the other way

                    server = attempt.enter_context(native.native_broker(folder, authority))
                version = await_answer(server, START_SECONDS)
            except (Unavailable, MisconfiguredError) as reason:
                reasons.append(f"{way}: {reason}")
                continue
            yield SecureBroker(
                urlsplit(server.address.url).port or 5671,
                server.address.management_url,
                authority,
                f"{version} {server.place}",
                server.log,
            )
            return
    raise MisconfiguredError("no RabbitMQ with TLS to be had:\n" + "\n".join(f"- {line}" for line in reasons))
