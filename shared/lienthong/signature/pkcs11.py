"""Keys that never leave a PKCS#11 token: an HSM, a smart card, or SoftHSM in tests.

Needs the extra ``pkcs11`` (python-pkcs11). A token's library is not to be called by two threads at once, so signatures
of one token are made one after the other, whoever asks; open the signer in the process that uses it, after any fork.
A token that was away and is there again is logged in to again by the next signature, unless its PIN is refused: a
token locks itself after a few wrong ones.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.signature.algorithms import SignatureMethod
from lienthong.signature.signer import method_of_chain

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["Pkcs11Signer"]

_LOCKS: Final[defaultdict[str, threading.Lock]] = defaultdict(threading.Lock)
"""One for each library: even two tokens of one library share its state."""


@dataclass(slots=True)
class _Login:
    """A session that is logged in. A process logs in once at a token, and out once: all its sessions share that."""

    session: Any
    pin: str
    users: int = 0


_LOGINS: Final[dict[tuple[str, str], _Login]] = {}


class Pkcs11Signer:
    """A private key on a token; a context manager."""

    def __init__(
        self,
        module: Path,
        *,
        token: str,
        pin: str,
        key: str,
        certificate_chain: tuple[x509.Certificate, ...],
        pss: bool = False,
    ) -> None:
        """Log in, unless this process has already.

        Args:
            module: the token's library, such as ``/usr/lib/softhsm/libsofthsm2.so``.
            token: the token's label.
            pin: of the token's user.
            key: the private key's label.
            certificate_chain: the certificate of this key, then what it was issued by.
            pss: whether an RSA key signs by PSS instead of PKCS#1 v1.5.

        Raises:
            MisconfiguredError: python-pkcs11 is not installed, there is no such library, token or key, the PIN is
                wrong, or the profile does not accept the key.
        """
        try:
            import pkcs11  # noqa: PLC0415 - an extra, needed by nobody without a token
        except ImportError as error:
            raise MisconfiguredError("install lienthong[pkcs11] to sign with a token") from error
        self.certificate_chain = certificate_chain
        self.method = method_of_chain(certificate_chain, pss=pss)
        self._pkcs11: Any = pkcs11
        self._lock = _LOCKS[str(module)]
        self._place = (str(module), token)
        self._label, self._pin = key, pin
        self._refused: MisconfiguredError | None = None
        with self._lock:
            try:
                self._open()
            except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
                self._leave()
                raise self._unusable(error) from error

    @classmethod
    def from_uri(cls, uri: str, certificate_chain: tuple[x509.Certificate, ...]) -> Self:
        """Log in to the token that a PKCS #11 URI names (RFC 7512).

        Args:
            uri: ``pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=FILE``; ``pin-value`` can stand for
                ``pin-source``.
            certificate_chain: as above.

        Raises:
            MisconfiguredError: something is missing in it, or as above.
        """
        path, _, query = uri.removeprefix("pkcs11:").partition("?")
        found = {
            name: unquote(value)
            for name, _, value in (part.partition("=") for part in (*path.split(";"), *query.split("&")))
        }
        try:
            if "pin-source" in found:
                found["pin-value"] = Path(found["pin-source"].removeprefix("file:")).read_text(encoding="utf-8").strip()
            return cls(
                Path(found["module-path"]),
                token=found["token"],
                pin=found["pin-value"],
                key=found["object"],
                certificate_chain=certificate_chain,
            )
        except KeyError as error:
            raise MisconfiguredError(f"the PKCS #11 URI of the signing key has no {error.args[0]}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise MisconfiguredError(f"the PIN cannot be read from {found['pin-source']}: {error}") from error

    def _open(self) -> None:
        """Take the key, from a session that others of this process may have opened."""
        login = _LOGINS.get(self._place) or self._log_in(self._pin)
        if login.pin != self._pin:
            raise MisconfiguredError(
                f"cannot use the key {self._label} of the token {self._place[1]}: another PIN is in use"
            )
        self._key: Any = login.session.get_key(object_class=self._pkcs11.ObjectClass.PRIVATE_KEY, label=self._label)
        self._login = login
        login.users += 1

    def _unusable(self, error: Exception) -> MisconfiguredError:
        module, token = self._place
        text = f"cannot use the key {self._label} of the token {token} with {module}: {type(error).__name__} {error}"
        return MisconfiguredError(text)

    def _log_in(self, pin: str) -> _Login:
        module, token = self._place
        session = self._pkcs11.lib(module).get_token(token_label=token).open(user_pin=pin)
        return _LOGINS.setdefault(self._place, _Login(session, pin))

    def _leave(self) -> None:
        """End the session when nobody uses it."""
        login = _LOGINS.get(self._place)
        if login is not None and not login.users:
            self._forget()

    def _forget(self) -> None:
        login = _LOGINS.pop(self._place, None)
        if login is not None:
            with suppress(self._pkcs11.PKCS11Error):  # of a token that is gone nothing can be closed
                login.session.close()

    def sign(self, data: bytes) -> bytes:
        """Return the signature over these bytes; of ECDSA in DER.

        Raises:
            Unavailable: the token does not answer.
            MisconfiguredError: it is there again, and refuses the PIN.
        """
        mechanisms, mgf = self._pkcs11.Mechanism, self._pkcs11.MGF
        options: dict[str, Any] = {}
        if self.method.elliptic:
            # The token signs a digest: not every one has a mechanism that hashes, too.
            digest = hashes.Hash(self.method.hash)
            digest.update(data)
            data = digest.finalize()
            options["mechanism"] = mechanisms.ECDSA
        elif self.method is SignatureMethod.RSA_PSS_SHA256:
            options["mechanism"] = mechanisms.SHA256_RSA_PKCS_PSS
            options["mechanism_param"] = (mechanisms.SHA256, mgf.SHA256, self.method.hash.digest_size)
        else:
            options["mechanism"] = mechanisms.SHA256_RSA_PKCS
        with self._lock:
            if self._refused is not None:
                raise self._refused
            try:
                if _LOGINS.get(self._place) is not self._login:
                    self._open()
                value = bytes(self._key.sign(data, **options))
            except (self._pkcs11.PinIncorrect, self._pkcs11.PinLocked, self._pkcs11.PinExpired) as error:
                self._refused = self._unusable(error)
                raise self._refused from error
            except (self._pkcs11.PKCS11Error, RuntimeError, OSError) as error:
                self._forget()
                raise Unavailable(f"the token does not sign: {type(error).__name__} {error}") from error
        if not self.method.elliptic:
            return value
        half = len(value) // 2
        return encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))

    def close(self) -> None:
        """Stop using the key; the last to do so logs out."""
        with self._lock:
            self._login.users -= 1
            self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
