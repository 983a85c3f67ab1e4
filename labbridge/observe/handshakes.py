"""Why a TLS connection came to nothing: a word for counts and log lines, a sentence for people. Nothing a certificate
says of its owner is in either."""

from __future__ import annotations

import ssl

_OF_VERIFICATION = {
    2: "unknown_authority",
    3: "no_revocation_list",
    9: "certificate_not_yet_valid",
    10: "certificate_expired",
    11: "revocation_list_expired",
    12: "revocation_list_expired",
    18: "unknown_authority",
    19: "unknown_authority",
    20: "unknown_authority",
    21: "unknown_authority",
    23: "certificate_revoked",
    26: "wrong_purpose",
    62: "wrong_name",
    64: "wrong_name",
}  # OpenSSL's X509_V_ERR numbers
_OF_HANDSHAKE = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
    "UNSUPPORTED_PROTOCOL": "old_version",
    "VERSION_TOO_LOW": "old_version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "old_version",
    "WRONG_VERSION_NUMBER": "not_tls",
    "HTTP_REQUEST": "not_tls",
    "PACKET_LENGTH_TOO_LONG": "not_tls",
    "RECORD_LAYER_FAILURE": "not_tls",
    "NO_SHARED_CIPHER": "no_common_cipher",
}

SENTENCES = {
    "unknown_authority": "the certificate is not signed by a known authority",
    "no_revocation_list": "there is no revocation list of the certificate's authority",
    "certificate_not_yet_valid": "the certificate is not valid yet",
    "certificate_expired": "the certificate has expired",
    "revocation_list_expired": "the revocation list has expired",
    "certificate_revoked": "the certificate is revoked",
    "wrong_purpose": "the certificate is for another purpose",
    "wrong_name": "the certificate is for another name",
    "bad_certificate": "the certificate cannot be trusted",
    "no_certificate": "no certificate was shown",
    "old_version": "no common version of TLS",
    "not_tls": "the other side does not speak TLS",
    "no_common_cipher": "no common cipher",
    "refused_by_peer": "the other side refused the connection",
    "timeout": "the handshake took too long",
    "peer_left": "the other side ended the connection",
    "failed": "the handshake failed",
}


def why(fault: BaseException) -> str:
    """One of SENTENCES: why this exception ended a handshake or a TLS connection."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _OF_VERIFICATION.get(fault.verify_code, "bad_certificate")
    if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionResetError | BrokenPipeError):
        return "peer_left"
    if isinstance(fault, TimeoutError | ConnectionAbortedError):  # asyncio gives the latter for a late handshake
        return "timeout"
    reason = (fault.reason or "") if isinstance(fault, ssl.SSLError) else ""
    return _OF_HANDSHAKE.get(reason) or ("refused_by_peer" if "ALERT" in reason else "failed")
