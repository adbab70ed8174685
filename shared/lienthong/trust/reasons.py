"""Why a certificate is believed or not: ETSI's sub-indications with words for a clerk.

The codes are those of ETSI EN 319 102-1, clause 5.1.3. Its table calls some of them indeterminate that are *invalid*
here: in a closed government hierarchy, where every root and intermediate is configured, waiting does not mend a
certificate that leads to none of them, is too weak, or must not be used for this. *Indeterminate* is kept for what may
still be found out (``TRY_LATER``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.document.verdicts import Reason

if TYPE_CHECKING:
    import datetime as dt

__all__ = [
    "BELIEVED",
    "IMITATED_ISSUER",
    "MALFORMED",
    "NO_PATH",
    "PATH_REFUSED",
    "SELF_SIGNED",
    "UNKNOWN_CRITICAL_EXTENSION",
    "WEAK_KEY",
    "WEAK_SIGNATURE",
    "expired",
    "no_revocation_status",
    "not_yet_valid",
    "on_hold",
    "revoked",
    "wrong_usage",
]

BELIEVED = Reason(
    "",
    "Chứng thư số được tin cậy: đúng đường dẫn chứng thực, còn hiệu lực và chưa bị thu hồi tại thời điểm xét",
    "The certificate is trusted: its path leads to a configured root, it was valid and not revoked at that time",
)
NO_PATH = Reason(
    "NO_CERTIFICATE_CHAIN_FOUND",
    "Chứng thư số không do tổ chức chứng thực nào được cấu hình cấp; hãy dùng chứng thư số chuyên dùng do cơ quan"
    " có thẩm quyền cấp",
    "No configured certification authority issued this certificate; use one issued by the competent authority",
)
SELF_SIGNED = Reason(
    "NO_CERTIFICATE_CHAIN_FOUND",
    "Chứng thư số tự ký, không do tổ chức chứng thực nào cấp; hãy dùng chứng thư số chuyên dùng",
    "The certificate is signed by itself and not by a certification authority; use one issued by the authority",
)
IMITATED_ISSUER = Reason(
    "NO_CERTIFICATE_CHAIN_FOUND",
    "Chứng thư số mang tên một tổ chức chứng thực được tin cậy nhưng không do khóa của tổ chức đó ký: giả mạo",
    "The certificate names a trusted authority as its issuer, but that authority's key did not sign it: an imitation",
)
PATH_REFUSED = Reason(
    "CHAIN_CONSTRAINTS_FAILURE",
    "Đường dẫn chứng thực vi phạm ràng buộc của một tổ chức chứng thực trong đường dẫn (quyền ký chứng thư, độ dài"
    " đường dẫn, phạm vi tên)",
    "The certificate path breaks a constraint set by an authority in it (right to issue, path length, permitted names)",
)
UNKNOWN_CRITICAL_EXTENSION = Reason(
    "CHAIN_CONSTRAINTS_FAILURE",
    "Chứng thư số có phần mở rộng bắt buộc phải hiểu mà hệ thống không biết",
    "The certificate carries a critical extension that is not understood here",
)
WEAK_SIGNATURE = Reason(
    "CRYPTO_CONSTRAINTS_FAILURE",
    "Chứng thư số được ký bằng thuật toán băm không còn an toàn (chỉ nhận SHA-256, SHA-384, SHA-512); hãy xin cấp lại",
    "The certificate is signed with a hash that is no longer safe (only SHA-256, SHA-384, SHA-512); have it reissued",
)
WEAK_KEY = Reason(
    "CRYPTO_CONSTRAINTS_FAILURE",
    "Khóa của chứng thư số không được chấp nhận (RSA từ 2048 bit, ECDSA P-256, P-384, P-521); hãy xin cấp lại",
    "The certificate's key is not accepted (RSA of 2048 bits or more, ECDSA P-256, P-384, P-521); have it reissued",
)
MALFORMED = Reason(
    "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    "Chứng thư số sai cấu trúc, không đọc được hết",
    "The certificate is malformed and cannot be read in full",
)


def expired(when: dt.datetime, *, authority: bool = False) -> Reason:
    """Return the reason for a certificate that had expired; ``authority`` tells that it is an issuer's in the path."""
    vi, en = _whose(authority)
    return Reason("EXPIRED", f"{vi} đã hết hạn từ {_local(when)}", f"{en} expired on {_local(when)}")


def not_yet_valid(when: dt.datetime, *, authority: bool = False) -> Reason:
    """Return the reason for a certificate whose validity had not begun."""
    vi, en = _whose(authority)
    return Reason(
        "NOT_YET_VALID", f"{vi} chỉ có hiệu lực từ {_local(when)}", f"{en} is valid only from {_local(when)} on"
    )


def wrong_usage(vi: str, en: str) -> Reason:
    """Return the reason for a certificate that was not issued for this purpose."""
    return Reason(
        "CHAIN_CONSTRAINTS_FAILURE",
        f"Chứng thư số không được cấp cho mục đích này: {vi}",
        f"The certificate was not issued for this purpose: {en}",
    )


def revoked(when: dt.datetime, *, authority: bool = False) -> Reason:
    """Return the reason for a revoked certificate; an authority's takes everything it issued with it."""
    vi, en = _whose(authority)
    code = "REVOKED_CA_NO_POE" if authority else "REVOKED"
    return Reason(
        code,
        f"{vi} đã bị thu hồi từ {_local(when)}",
        f"{en} is revoked as of {_local(when)}",
    )


def on_hold(when: dt.datetime, *, authority: bool = False) -> Reason:
    """Return the reason for a certificate on hold: no signature counts while it is."""
    vi, en = _whose(authority)
    code = "REVOKED_CA_NO_POE" if authority else "REVOKED"
    return Reason(
        code,
        f"{vi} đang bị tạm dừng từ {_local(when)}; ký lại sau khi được khôi phục",
        f"{en} is on hold since {_local(when)}; sign again when it is released",
    )


def no_revocation_status(*, authority: bool = False) -> Reason:
    """Return the reason why nothing can be said yet: no authentic, fresh CRL or OCSP answer covers the certificate."""
    vi, en = _whose(authority)
    return Reason(
        "TRY_LATER",
        f"Chưa xác định được {vi[0].lower()}{vi[1:]} có bị thu hồi hay không (thiếu CRL hoặc OCSP còn hạn và xác thực);"
        " hệ thống sẽ tự kiểm tra lại",
        f"It could not be found out whether {en[0].lower()}{en[1:]} is revoked (no authentic and fresh CRL or OCSP);"
        " it will be checked again by itself",
    )


def _whose(authority: bool) -> tuple[str, str]:
    if authority:
        return "Chứng thư số của tổ chức chứng thực", "The certificate of the issuing authority"
    return "Chứng thư số", "The certificate"


def _local(when: dt.datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")
