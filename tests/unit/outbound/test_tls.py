"""gateway/outbound/tls.py: verification is always on, faults in files are named."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.model.errors import ConfigError
from gateway.outbound.tls import TlsOptions, context


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A self-signed certificate, its key, and the same key under a password."""
    folder = tmp_path_factory.mktemp("pem")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for file, protection in (
        ("key.pem", serialization.NoEncryption()),
        ("locked.pem", serialization.BestAvailableEncryption(b"pw")),
    ):
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        (folder / file).write_bytes(pem)
    (folder / "empty.pem").write_bytes(b"")
    return folder


def test_verification_is_always_on(pem):
    """With and without own files, certificate and host name are checked and old TLS is refused."""
    own = TlsOptions(pem / "cert.pem", pem / "cert.pem", pem / "key.pem")
    for made in (context(), context(own)):
        assert made.verify_mode is ssl.CERT_REQUIRED
        assert made.check_hostname
        assert made.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_own_authority_replaces_the_public_ones(pem):
    """A destination with its own authority trusts that one alone."""
    [trusted] = context(TlsOptions(ca_file=pem / "cert.pem")).get_ca_certs()
    assert trusted["subject"] == ((("commonName", "gateway"),),)
    assert len(context().get_ca_certs()) > 50


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"ca_file": "missing.pem"}, "missing.pem"),
        ({"ca_file": "empty.pem"}, "empty.pem"),
        ({"client_cert": "cert.pem"}, "cert.pem"),
        ({"client_cert": "cert.pem", "client_key": "empty.pem"}, "empty.pem"),
        ({"client_cert": "cert.pem", "client_key": "locked.pem"}, "locked.pem"),
        ({"client_key": "key.pem"}, "client key"),
    ],
)
def test_a_wrong_file_stops_the_start_and_is_named(pem, files, named):
    """An operator reads which file is wrong, and nobody is asked for a password on a terminal."""
    with pytest.raises(ConfigError, match=named):
        context(TlsOptions(**{field: pem / name for field, name in files.items()}))
