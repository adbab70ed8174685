"""Signing with keys on a PKCS#11 token: SoftHSM's, which behaves as an HSM does."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lienthong.edxml import Document, Organization, encode
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.signature import examine_message, sign_message
from lienthong.signature.pkcs11 import Pkcs11Signer
from lienthong.testing.message_forge import certificate

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from tests.conftest import Token

NOON = dt.datetime(2026, 11, 10, 5, tzinfo=dt.UTC)
MESSAGE = encode(Document(Organization("000.00.01.G01"), (Organization("H02"),), "d-1"))
TOKEN, PIN = "lienthong-test", "1234"
KEYS: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
}
CHAINS: dict[str, tuple[x509.Certificate, ...]] = {name: (certificate(key),) for name, key in KEYS.items()}


@pytest.fixture(scope="module")
def module(token: Token) -> Path:
    """Return the library of a token with the keys on it."""
    for name, key in KEYS.items():
        token.put(name, key)
    return token.module


@pytest.mark.parametrize(("key", "pss"), [("rsa", False), ("rsa", True), ("p256", False), ("p384", False)])
def test_a_token_signs_as_a_file_does(module: Path, key: str, pss: bool) -> None:
    """Where a key is kept changes nothing about what it signs."""
    with Pkcs11Signer(module, token=TOKEN, pin=PIN, key=key, certificate_chain=CHAINS[key], pss=pss) as signer:
        found = examine_message(sign_message(MESSAGE, signer, signing_time=NOON))
    assert found.state == "intact", found.reason.en


def test_threads_take_turns_at_a_token(module: Path) -> None:
    """A token's library is never called by two threads at once, whatever sessions they have."""
    with (
        Pkcs11Signer(module, token=TOKEN, pin=PIN, key="p256", certificate_chain=CHAINS["p256"]) as first,
        Pkcs11Signer(module, token=TOKEN, pin=PIN, key="rsa", certificate_chain=CHAINS["rsa"]) as second,
        ThreadPoolExecutor(8) as pool,
    ):
        signed = pool.map(
            lambda number: sign_message(MESSAGE, (first, second)[number % 2], signing_time=NOON), range(80)
        )
        assert {examine_message(each).state for each in signed} == {"intact"}


def test_a_token_that_comes_back_signs_again(module: Path) -> None:
    """Pulling a token out ends its sessions; whoever tries again once it is back needs no restart."""
    with (
        Pkcs11Signer(module, token=TOKEN, pin=PIN, key="p256", certificate_chain=CHAINS["p256"]) as first,
        Pkcs11Signer(module, token=TOKEN, pin=PIN, key="rsa", certificate_chain=CHAINS["rsa"]) as second,
    ):
        for _ in range(2):
            pkcs11.lib(str(module)).reinitialize()  # ends every session of this process, as pulling out does
            with pytest.raises(Unavailable):
                first.sign(b"data")
            for signer in (first, second, first):
                assert examine_message(sign_message(MESSAGE, signer, signing_time=NOON)).state == "intact"


def test_a_refused_pin_is_not_tried_again(module: Path) -> None:
    """A token locks itself after a few wrong PINs; one that was changed meanwhile is the operator's to mend."""
    library = pkcs11.lib(str(module))
    with Pkcs11Signer(module, token=TOKEN, pin=PIN, key="p256", certificate_chain=CHAINS["p256"]) as signer:
        set_pin(library, PIN, "4321")
        with pytest.raises(Unavailable):
            signer.sign(b"data")
        for _ in range(2):
            with pytest.raises(MisconfiguredError, match="PinIncorrect"):
                signer.sign(b"data")
        set_pin(library, "4321", PIN)
        with pytest.raises(MisconfiguredError, match="PinIncorrect"):
            signer.sign(b"data")


def set_pin(library: Any, old: str, new: str) -> None:
    """Change the PIN of the token, and end every session of this process."""
    library.reinitialize()
    with library.get_token(token_label=TOKEN).open(rw=True, user_pin=old) as session:
        session.set_pin(old, new)
    library.reinitialize()


@pytest.mark.parametrize("wrong", [{"token": "none"}, {"pin": "4321"}, {"key": "none"}])
def test_a_token_that_cannot_be_used_says_so_at_once(module: Path, wrong: dict[str, str]) -> None:
    """A wrong label or PIN is the operator's to mend, and known when a service starts."""
    chosen = {"token": TOKEN, "pin": PIN, "key": "p256"} | wrong
    token, pin, key = chosen["token"], chosen["pin"], chosen["key"]
    with pytest.raises(MisconfiguredError, match="cannot use the key"):
        Pkcs11Signer(module, token=token, pin=pin, key=key, certificate_chain=CHAINS["p256"])
    with Pkcs11Signer(module, token=TOKEN, pin=PIN, key="rsa", certificate_chain=CHAINS["rsa"]) as other:
        with pytest.raises(MisconfiguredError, match="cannot use the key"):
            Pkcs11Signer(module, token=token, pin=pin, key=key, certificate_chain=CHAINS["p256"])
        assert other.sign(b"still works")


def test_a_library_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A wrong path is the operator's to mend, too."""
    script = (
        "import sys, pathlib\nfrom lienthong.errors import MisconfiguredError\n"
        "from lienthong.signature.pkcs11 import Pkcs11Signer\n"
        "from lienthong.testing.message_forge import signer\n"
        "try:\n    Pkcs11Signer(pathlib.Path(sys.argv[1]), token='t', pin='1', key='k',"
        " certificate_chain=signer().certificate_chain)\n"
        "except MisconfiguredError:\n    print('said so')\n"
    )
    ran = subprocess.run(  # noqa: S603 - a program of Debian's, or ourselves
        [sys.executable, "-c", script, tmp_path / "none.so"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.stdout == "said so\n", ran.stderr
