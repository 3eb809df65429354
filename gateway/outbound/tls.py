"""TLS towards one destination: its own authorities, our client certificate. Verification is always on.

TlsOptions -> ssl.SSLContext
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi

from gateway.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Files in PEM form. There is no switch that turns verification off."""

    ca_file: Path | None = None  # trusted instead of the public authorities, not beside them
    client_cert: Path | None = None  # may hold the key as well
    client_key: Path | None = None


def context(options: TlsOptions | None = None) -> ssl.SSLContext:
    """A verifying client context, TLS 1.2 or newer.

    Raises: ConfigError naming the file that is missing or not what it should be.
    """
    options = options or TlsOptions()
    if options.client_key is not None and options.client_cert is None:
        raise ConfigError("a client key is set and no client certificate: set both or neither")
    made = _trusting(options.ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.client_cert is not None:
        try:
            # An empty password makes an encrypted key an error; without it OpenSSL asks on the terminal.
            made.load_cert_chain(options.client_cert, options.client_key, password="")
        except (OSError, ssl.SSLError) as error:
            files = " and ".join(str(f) for f in (options.client_cert, options.client_key) if f)
            raise ConfigError(
                f"{files}: not a client certificate with its unencrypted key in PEM form"
            ) from error
    return made


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or certifi.where())
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca_file}: not a PEM file of authority certificates") from error
