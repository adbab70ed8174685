"""What only the broker's management API can do: virtual hosts, users, permissions, limits, and looking at queues.

Everything here is for operators' commands and tests; workers and agencies never need the management API.
"""

from __future__ import annotations

import base64
import http
from collections import deque
from dataclasses import asdict
from email.utils import parsedate_to_datetime
from hashlib import sha256, sha512
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiohttp
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator
from yarl import URL

from lienthong.bus.link import describe
from lienthong.errors import LienThongError, MisconfiguredError, Unavailable
from lienthong.topology.plan import Permissions, TopicPermissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from types import TracebackType

__all__ = [
    "FULL_PERMISSIONS",
    "BrokerAdmin",
    "BrokerOverview",
    "FoundBinding",
    "FoundExchange",
    "FoundNode",
    "FoundQueue",
    "FoundUser",
    "UserLimit",
    "has_password",
]

FULL_PERMISSIONS = Permissions(configure=".*", write=".*", read=".*")
REQUEST_SECONDS = 30.0

UserLimit = Literal["max-connections", "max-channels"]


class BrokerOverview(BaseModel):
    """What a broker says about itself."""

    rabbitmq_version: str
    erlang_version: str
    cluster_name: str = ""
    node: str = ""


class FoundExchange(BaseModel):
    """An exchange there is."""

    name: str
    type: str
    durable: bool
    arguments: dict[str, Any]


class FoundQueue(BaseModel):
    """A queue there is.

    Attributes:
        leader: the node that leads it; None when it has none now, or is no quorum queue.
        members: the nodes that have a copy of it, running or not.
    """

    name: str
    durable: bool
    arguments: dict[str, Any] = {}
    leader: str | None = None
    members: tuple[str, ...] = ()


class FoundBinding(BaseModel):
    """A binding there is, to a queue or to an exchange."""

    source: str
    destination: str
    destination_type: Literal["queue", "exchange"]
    routing_key: str
    arguments: dict[str, Any] = {}
    properties_key: str


class FoundNode(BaseModel):
    """A node of the cluster.

    Attributes:
        running: as far as the node that answers can see; one that does not says nothing else.
        mem_alarm: it is out of memory, and takes nothing until it is not.
        disk_free_alarm: it is out of disk, and takes nothing until it is not.
        disk_free: bytes that are free where it writes.
        disk_free_limit: below so many it raises that alarm.
    """

    name: str
    running: bool
    mem_alarm: bool = False
    disk_free_alarm: bool = False
    disk_free: int | None = None
    disk_free_limit: int | None = None

    @field_validator("disk_free", "disk_free_limit", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        # Where it is not monitored RabbitMQ says so in words.
        return value if isinstance(value, int) else None


class FoundUser(BaseModel):
    """A user there is.

    Attributes:
        tags: RabbitMQ's tags; whoever has one is an operator of the broker.
        password_hash: empty when it can log in by a certificate only.
    """

    name: str
    tags: tuple[str, ...] = ()
    password_hash: str = Field("", repr=False)
    hashing_algorithm: str = ""

    @field_validator("tags", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        # 3.8 and older say it in one text.
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def has_password(user: FoundUser, password: str | None) -> bool:
    """Tell whether a user logs in with just this password; None: by certificate only.

    One whose password was hashed in a way of older versions is taken to have another one.
    """
    if password is None or not user.password_hash:
        return not user.password_hash and password is None
    # The salt is the first four bytes: rabbitmq.com/docs/passwords.
    kept = base64.b64decode(user.password_hash)
    digest = {"rabbit_password_hashing_sha256": sha256, "rabbit_password_hashing_sha512": sha512}.get(
        user.hashing_algorithm
    )
    return digest is not None and digest(kept[:4] + password.encode()).digest() == kept[4:]


class _Granted(BaseModel):
    user: str
    configure: str
    write: str
    read: str


class _TopicGranted(BaseModel):
    user: str
    exchange: str
    write: str
    read: str


class _Limits(BaseModel):
    user: str
    value: dict[str, int]


class _Connection(BaseModel):
    name: str


class _QueueDepth(BaseModel):
    name: str
    messages: int = Field(0, description="absent until the queue's first tick")


class _Membership(BaseModel):
    user: str
    vhost: str


_ModelT = TypeVar("_ModelT")
_QUEUE_DEPTHS = TypeAdapter(list[_QueueDepth])
_MEMBERSHIPS = TypeAdapter(list[_Membership])
_EXCHANGES = TypeAdapter(list[FoundExchange])
_QUEUES = TypeAdapter(list[FoundQueue])
_BINDINGS = TypeAdapter(list[FoundBinding])
_USERS = TypeAdapter(list[FoundUser])
_GRANTED = TypeAdapter(list[_Granted])
_TOPIC_GRANTED = TypeAdapter(list[_TopicGranted])
_LIMITS = TypeAdapter(list[_Limits])
_NODES = TypeAdapter(list[FoundNode])
_CONNECTIONS = TypeAdapter(list[_Connection])


class BrokerAdmin:
    """An administrator's session with the management API.

    Every change has happened when its method returns, and repeating one is harmless.

    Args:
        management_urls: ``http://user:password@host:port``; the user needs RabbitMQ's tag ``administrator``. Several,
            comma-separated, are tried in turn; all with the same user.
    """

    def __init__(self, management_urls: str) -> None:
        try:
            places = [urlsplit(url.strip()) for url in management_urls.split(",")]
            readable = all(
                place.scheme in {"http", "https"} and place.hostname and (place.port or True) for place in places
            )
        except ValueError:
            # What it says may quote a part of the password, as may an error in its cause.
            readable = False
        if not readable:
            raise MisconfiguredError(
                "địa chỉ quản trị RabbitMQ phải có dạng / the management URL has to look like "
                "http://user:password@host:15672, special characters as %XX"
            )
        self.user = unquote(places[0].username or "guest")
        self._password = unquote(places[0].password or "guest")
        self._bases = deque(
            urlunsplit((place.scheme, place.netloc.rpartition("@")[2], f"{place.path.rstrip('/')}/api", "", ""))
            for place in places
        )
        self._session: aiohttp.ClientSession | None = None
        self.answered_at: datetime | None = None
        """When the API last answered, by the broker's clock, to the second; None when it did not say."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(self.user, self._password, encoding="utf-8")},
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS / len(self._bases)),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def overview(self) -> BrokerOverview:
        """Return the broker's versions and names."""
        _, body = await self._request("GET", "overview")
        return _parsed(TypeAdapter(BrokerOverview), body)

    async def nodes(self) -> dict[str, bool]:
        """Return the nodes of the cluster by name, and whether each runs as far as the one that answers can see."""
        return {node.name: node.running for node in await self.node_states()}

    async def node_states(self) -> list[FoundNode]:
        """Return how the nodes of the cluster are."""
        _, body = await self._request("GET", "nodes")
        return _parsed(_NODES, body)

    async def create_vhost(self, name: str) -> bool:
        """Create a virtual host in which this administrator may do everything; return False when it was there."""
        status, _ = await self._request("PUT", "vhosts", name, json={})
        await self.set_permissions(name, self.user, FULL_PERMISSIONS)
        return status == http.HTTPStatus.CREATED

    async def has_vhost(self, name: str) -> bool:
        """Tell whether a virtual host is there."""
        status, _ = await self._request("GET", "vhosts", name, absent_is_fine=True)
        return status != http.HTTPStatus.NOT_FOUND

    async def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with everything in it; connections to it are closed by the broker."""
        await self._request("DELETE", "vhosts", name, absent_is_fine=True)

    async def put_user(self, name: str, password: str | None, *, tags: str = "") -> None:
        """Create a user or change its password.

        Args:
            name: for an agency, its code.
            password: None lets it in by its certificate only.
            tags: RabbitMQ's tags, comma-separated; agencies and workers have none.
        """
        secret = {"password_hash": ""} if password is None else {"password": password}
        await self._request("PUT", "users", name, json={**secret, "tags": tags})

    async def clear_tags(self, user: FoundUser) -> None:
        """Take RabbitMQ's tags from a user, who keeps its password."""
        body = {"password_hash": user.password_hash, "hashing_algorithm": user.hashing_algorithm, "tags": ""}
        await self._request("PUT", "users", user.name, json=body)

    async def users(self) -> dict[str, FoundUser]:
        """Return all users of the broker by name."""
        _, body = await self._request("GET", "users")
        return {user.name: user for user in _parsed(_USERS, body)}

    async def delete_user(self, name: str) -> None:
        """Delete a user and close its connections, which some versions would leave open."""
        await self._request("DELETE", "users", name, absent_is_fine=True)
        await self.close_user_connections(name)

    async def permissions(self, vhost: str, user: str) -> Permissions | None:
        """Return what a user may do in a virtual host; None when it may not even enter."""
        status, body = await self._request("GET", "permissions", vhost, user, absent_is_fine=True)
        return None if status == http.HTTPStatus.NOT_FOUND else _parsed(TypeAdapter(Permissions), body)

    async def members(self) -> dict[str, set[str]]:
        """Return for each user that may enter any virtual host the ones it may enter."""
        _, body = await self._request("GET", "permissions")
        found: dict[str, set[str]] = {}
        for one in _parsed(_MEMBERSHIPS, body):
            found.setdefault(one.user, set()).add(one.vhost)
        return found

    async def set_permissions(self, vhost: str, user: str, permissions: Permissions) -> None:
        """Set what a user may do in a virtual host; channels already open may keep what they had."""
        await self._request("PUT", "permissions", vhost, user, json=asdict(permissions))

    async def clear_permissions(self, vhost: str, user: str) -> None:
        """Take all permissions in a virtual host from a user, which then cannot enter it."""
        await self._request("DELETE", "permissions", vhost, user, absent_is_fine=True)

    async def all_permissions(self, vhost: str) -> dict[str, Permissions]:
        """Return for each user that may enter a virtual host what it may do there."""
        _, body = await self._request("GET", "vhosts", vhost, "permissions")
        return {one.user: Permissions(one.configure, one.write, one.read) for one in _parsed(_GRANTED, body)}

    async def all_topic_permissions(self, vhost: str) -> dict[str, frozenset[TopicPermissions]]:
        """Return for each user with restricted routing keys in a virtual host its restrictions."""
        _, body = await self._request("GET", "vhosts", vhost, "topic-permissions")
        found: dict[str, frozenset[TopicPermissions]] = {}
        for one in _parsed(_TOPIC_GRANTED, body):
            found[one.user] = found.get(one.user, frozenset()) | {TopicPermissions(one.exchange, one.write, one.read)}
        return found

    async def set_topic_permissions(self, vhost: str, user: str, permissions: Iterable[TopicPermissions]) -> None:
        """Restrict a user's routing keys on these topic exchanges, and on no others."""
        await self._request("DELETE", "topic-permissions", vhost, user, absent_is_fine=True)
        for one in permissions:
            await self._request("PUT", "topic-permissions", vhost, user, json=asdict(one))

    async def all_user_limits(self) -> dict[str, dict[str, int]]:
        """Return for each user with limits its limits."""
        _, body = await self._request("GET", "user-limits")
        return {one.user: one.value for one in _parsed(_LIMITS, body)}

    async def set_user_limits(self, user: str, limits: Mapping[UserLimit, int]) -> None:
        """Limit how many connections and channels a user may have; -1 is no limit."""
        for limit, value in limits.items():
            await self._request("PUT", "user-limits", user, limit, json={"value": value})

    async def close_user_connections(self, user: str) -> None:
        """Close all connections of a user, who may connect again at once unless deleted or without permissions."""
        await self._request("DELETE", "connections", "username", user, absent_is_fine=True)

    async def connections_of(self, user: str) -> list[str]:
        """Return the names of the connections a user has now."""
        status, body = await self._request("GET", "connections", "username", user, absent_is_fine=True)
        return [] if status == http.HTTPStatus.NOT_FOUND else [one.name for one in _parsed(_CONNECTIONS, body)]

    async def exchanges(self, vhost: str) -> list[FoundExchange]:
        """Return the exchanges of a virtual host, RabbitMQ's own included."""
        _, body = await self._request("GET", "exchanges", vhost, query="disable_stats=true")
        return _parsed(_EXCHANGES, body)

    async def queues(self, vhost: str | None = None) -> list[FoundQueue]:
        """Return the queues of a virtual host, or of all."""
        place = ("queues",) if vhost is None else ("queues", vhost)
        _, body = await self._request("GET", *place, query="disable_stats=true")
        return _parsed(_QUEUES, body)

    async def bindings(self, vhost: str) -> list[FoundBinding]:
        """Return the bindings of a virtual host, those of the default exchange included."""
        _, body = await self._request("GET", "bindings", vhost)
        return _parsed(_BINDINGS, body)

    async def delete_binding(self, vhost: str, binding: FoundBinding) -> None:
        """Delete a binding; nothing happens to messages that came over it."""
        kind, key = binding.destination_type[0], binding.properties_key
        place = (vhost, "e", binding.source, kind, binding.destination, key)
        await self._request("DELETE", "bindings", *place, absent_is_fine=True)

    async def delete_exchange(self, vhost: str, name: str) -> None:
        """Delete an exchange and its bindings; an exchange keeps no messages."""
        await self._request("DELETE", "exchanges", vhost, name, absent_is_fine=True)

    async def queue_depths(self, vhost: str) -> dict[str, int]:
        """Return the number of messages in each queue of a virtual host, ready and unacknowledged.

        A queue is listed as soon as it is declared. Its number is the one of the queue's last tick: quorum queues
        tick every five seconds, so this is for looking, not for deciding.
        """
        # Without statistics the answer is not one from the API's own cache, and costs the broker far less.
        query = "disable_stats=true&enable_queue_totals=true"
        _, body = await self._request("GET", "queues", vhost, query=query)
        return {queue.name: queue.messages for queue in _parsed(_QUEUE_DEPTHS, body)}

    async def _request(
        self,
        method: Literal["GET", "PUT", "DELETE"],
        *path: str,
        query: str = "",
        json: Mapping[str, str | int] | None = None,
        absent_is_fine: bool = False,
    ) -> tuple[int, bytes]:
        """Ask the API; names in the path may contain anything, a slash included.

        Raises:
            Unavailable: the API cannot be reached or is in trouble.
            MisconfiguredError: it refuses; the text says what to mend.
        """
        if self._session is None:
            raise RuntimeError("use BrokerAdmin in an async with block")
        address = "/".join(quote(part, safe="") for part in path)
        silent: list[str] = []
        while True:
            url = URL(f"{self._bases[0]}/{address}?{query}".rstrip("?"), encoded=True)
            try:
                async with self._session.request(method, url, json=json) as response:
                    status, body = response.status, await response.read()
                    self.answered_at = _moment(response.headers.get("Date"))
                break
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                silent.append(f"{self._bases[0]}: {describe(error)}")
                self._bases.rotate(-1)
                if len(silent) == len(self._bases):
                    raise Unavailable(
                        "API quản trị RabbitMQ không trả lời / the broker's management API does not answer "
                        f"({'; '.join(silent)})"
                    ) from error
        if status < http.HTTPStatus.BAD_REQUEST or (absent_is_fine and status == http.HTTPStatus.NOT_FOUND):
            return status, body
        raise self._refused(status, f"{method} {'/'.join(path)}", body.decode(errors="replace"))

    def _refused(self, status: int, request: str, body: str) -> LienThongError:
        if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(f"the broker's management API says {status} to {request}: {body[:300]}")
        remedy = {
            http.HTTPStatus.UNAUTHORIZED: f"user {self.user}, its password or its tags are wrong; "
            "mend LIENTHONG_BROKER_MANAGEMENT_URL, or: rabbitmqctl set_user_tags USER administrator",
            http.HTTPStatus.FORBIDDEN: f"user {self.user} needs RabbitMQ's tag administrator",
            http.HTTPStatus.NOT_FOUND: "no such thing on this broker; is the plugin rabbitmq_management enabled?",
        }.get(http.HTTPStatus(status), "the broker does not take this request")
        return MisconfiguredError(f"{request}: {remedy} ({status}: {body[:300]})")


def _moment(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text or "")
    except ValueError:
        return None


def _parsed(adapter: TypeAdapter[_ModelT], body: bytes) -> _ModelT:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise MisconfiguredError(f"this is not RabbitMQ's management API: {error}") from error
