"""`lienthong trust`: what is trusted, whether it is fresh, and an authority for development."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from rich.console import Console

from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.trust import DevelopmentAuthority, TrustStore
from lienthong.trust.development_server import DevelopmentServer
from lienthong.trust.folder import answer_in, certificates_in, crls_in
from lienthong.trust.publications import keep
from lienthong.trust.refresher import Patience, Refresher
from lienthong.trust.report import states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.x509 import ocsp

    from lienthong.trust.refresher import Refreshed

__all__ = ["app"]

app = typer.Typer(help="Các tổ chức chứng thực được tin cậy / the authorities that are trusted.", no_args_is_help=True)

TrustFolder = Annotated[
    Path,
    typer.Option(
        "--trust",
        metavar="DIR",
        envvar="LIENTHONG_TRUST_FOLDER",
        help="thư mục tin cậy: roots/ intermediates/ crls/ ocsp/ / the trust folder",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="kết quả dạng JSON / the result as JSON")]
DEFAULT_FOLDER = Path("trust")


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="chứng thư, CRL, OCSP / what to import")],
    folder: TrustFolder = DEFAULT_FOLDER,
    root: Annotated[
        bool,
        typer.Option("--root", help="tin cậy chứng thư tự ký làm gốc / trust self-signed certificates as roots"),
    ] = False,
) -> None:
    """Nhập chứng thư của tổ chức chứng thực, CRL, OCSP / take authorities' certificates, CRLs and OCSP answers.

    Whoever controls a root controls every verdict: compare the printed fingerprint with what the authority publishes.
    """
    with _errors():
        for file in files:
            try:
                data = file.read_bytes()
            except OSError as error:
                raise MisconfiguredError(f"{file}: {error.strerror}") from error
            for place, content, what in _sorted_out(file, data, root=root):
                keep(_made(folder), place, content)
                _say(f"{place}: {what}")


@app.command("list")
def list_authorities(folder: TrustFolder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Liệt kê các tổ chức chứng thực được tin cậy / list the authorities that are trusted."""
    with _errors():
        store = TrustStore.load(folder)
    rows = [
        {
            "kind": "root" if certificate in store.roots else "intermediate",
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "valid_until": certificate.not_valid_after_utc.isoformat(),
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        }
        for certificate in store.all_authorities()
    ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        _say(f"{row['kind']}: {row['subject']}")
        _say(f"    hết hạn / valid until {row['valid_until'][:10]}")
        _say(f"    SHA-256 {row['sha256']}")


@app.command()
def refresh(
    folder: TrustFolder = DEFAULT_FOLDER,
    urls: Annotated[
        list[str] | None, typer.Option("--url", metavar="URL", help="thêm địa chỉ CRL / a further CRL address")
    ] = None,
    seconds: Annotated[float, typer.Option(help="chờ mỗi địa chỉ tối đa / wait at most, each")] = 180.0,
) -> None:
    """Tải các CRL một lần; mã thoát 1 nếu có địa chỉ lỗi / fetch the CRLs once; exit 1 when any fails."""
    with _errors():
        outcomes = asyncio.run(_refresh(folder, tuple(urls or ()), seconds))
    for outcome in outcomes:
        until = f"{outcome.next_update:%Y-%m-%d %H:%M} UTC" if outcome.next_update else ""
        _say(
            f"✗ {outcome.url}: {outcome.trouble}"
            if outcome.trouble
            else f"✓ {outcome.url}: còn hạn đến / good until {until}"
        )
    if any(outcome.trouble for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def status(folder: TrustFolder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Chứng thư, CRL còn hạn không; mã thoát 1 nếu cần xử lý / what expires or is stale; exit 1 when anything is."""
    with _errors():
        store = TrustStore.load(folder)
    found = states(store, dt.datetime.now(dt.UTC))
    if as_json:
        authorities = [
            {
                "subject": state.name,
                "anchor": state.anchor,
                "days_left": round(state.days_left, 1),
                "crl_fresh": state.fresh,
                "crl_next_update": state.newest.next_update.isoformat() if state.newest else None,
                "warnings": state.warnings,
            }
            for state in found
        ]
        print(json.dumps({"authorities": authorities, "problems": store.problems}, ensure_ascii=False))
    else:
        for state in found:
            _say(f"{'!' if state.warnings else '✓'} {state.name}")
            for warning in state.warnings:
                _say(f"    {warning}")
        for problem in store.problems:
            _say(f"! {problem}")
    if store.problems or any(state.warnings for state in found):
        raise typer.Exit(1)


@app.command("dev-authority")
def dev_authority(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="nơi giữ khóa và chứng thư / where to keep it")],
    agencies: Annotated[
        list[str] | None,
        typer.Option("--agency", metavar="CODE[=NAME]", help="cấp chứng thư cho cơ quan / issue to an agency"),
    ] = None,
    url: Annotated[
        str, typer.Option(help="địa chỉ CRL, OCSP, dấu thời gian / address of CRLs, OCSP and time stamps")
    ] = "http://127.0.0.1:8318",
    serve: Annotated[bool, typer.Option("--serve", help="chạy các dịch vụ đến khi dừng / serve until stopped")] = False,
) -> None:
    """Tổ chức chứng thực để PHÁT TRIỂN, không dùng thật / make or open an authority for DEVELOPMENT only."""
    with _errors():
        if (folder / "authority.json").exists():
            authority = DevelopmentAuthority.load(folder)
        else:
            authority = DevelopmentAuthority.create(folder, url=url)
            _say(f"đã tạo, chỉ để phát triển / made, for development only: {folder}")
        for agency in agencies or ():
            code, _, name = agency.partition("=")
            authority.issue(code, name or code)
            _say(f"{folder}/agencies/{code}.pem, {code}.key")
        authority.publish()
        _say(f"--trust {authority.trust_folder}")
        if serve:
            asyncio.run(_serve(authority))


def _sorted_out(file: Path, data: bytes, *, root: bool) -> Iterator[tuple[str, bytes, str]]:
    """Yield where each thing in a file belongs, its bytes, and what it is.

    Raises:
        MisconfiguredError: there is something in it that must not be, or cannot be, imported.
    """
    certificates, crls, answer = _parsed(file, data)
    for certificate in certificates:
        der, name = certificate.public_bytes(Encoding.DER), certificate.subject.rfc4514_string()
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        if not _is_authority(certificate):
            raise MisconfiguredError(f"{file}: {name}: không phải tổ chức chứng thực / not an authority's certificate")
        anchor = certificate.issuer == certificate.subject
        if anchor and not root:
            raise MisconfiguredError(
                f"{file}: {name}: chứng thư gốc, SHA-256 {fingerprint}; đối chiếu rồi thêm --root"
                " / a root; compare its fingerprint, then say --root"
            )
        place = "roots" if anchor else "intermediates"
        yield f"{place}/{fingerprint[:16]}.crt", der, f"{name}, SHA-256 {fingerprint}"
    for crl in crls:
        place = f"crls/{crl.fingerprint(hashes.SHA256()).hex()[:16]}.crl"
        yield place, crl.public_bytes(Encoding.DER), crl.issuer.rfc4514_string()
    if answer is not None:
        der = answer.public_bytes(Encoding.DER)
        hasher = hashes.Hash(hashes.SHA256())
        hasher.update(der)
        yield f"ocsp/{hasher.finalize().hex()[:16]}.der", der, "OCSP"


def _parsed(
    file: Path, data: bytes
) -> tuple[list[x509.Certificate], list[x509.CertificateRevocationList], ocsp.OCSPResponse | None]:
    if b"-----BEGIN X509 CRL-----" in data:
        return [], crls_in(data), None
    try:
        return certificates_in(data), [], None
    except ValueError:
        pass
    try:
        return [], crls_in(data), None
    except ValueError:
        pass
    try:
        return [], [], answer_in(data)
    except ValueError:
        raise MisconfiguredError(
            f"{file}: không phải chứng thư, CRL hay OCSP / neither a certificate, a CRL nor an OCSP answer"
        ) from None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _refresh(folder: Path, urls: tuple[str, ...], seconds: float) -> tuple[Refreshed, ...]:
    return await Refresher(folder, urls=urls, patience=Patience(answer=seconds)).refresh()


async def _serve(authority: DevelopmentAuthority) -> None:
    async with DevelopmentServer(authority):
        _say(f"{authority.url}/crl/issuing.crl, /ocsp, /tsa; Ctrl-C để dừng / to stop")
        await asyncio.Event().wait()


def _say(text: str) -> None:
    print("".join(sign if sign.isprintable() else "�" for sign in text), flush=True)


@contextmanager
def _errors() -> Iterator[None]:
    """Say what an operator has to mend, without a traceback."""
    try:
        yield
    except LienThongError as error:
        Console(stderr=True).print(f"lỗi / error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
