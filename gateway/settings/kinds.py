"""The kinds of values a setting can hold: how each is read from text and how it is described to people."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, FilePath, SecretStr

from gateway.outbound.guard import Guard
from gateway.security.signatures import secret_key


class Kind(NamedTuple):
    """Names the text `expect.<name>` that says what the setting takes."""

    name: str


def from_home(value: Path) -> Path:
    """Replaces a leading `~`."""
    try:
        return value.expanduser()
    except RuntimeError as error:  # no HOME and no entry in the user database: a bare container
        raise ValueError("there is no home folder") from error


def http_address(value: str) -> str:
    """An absolute http(s) address, without user, query or fragment: those would end in logs."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("not an http(s) address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("has a user, query or fragment")
    return value.rstrip("/")


def proxy_address(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http(s) address")
    return value


def database_address(value: SecretStr) -> SecretStr:
    scheme, separator, rest = value.get_secret_value().partition("://")
    if scheme.partition("+")[0] not in ("sqlite", "postgresql") or not separator or not rest.strip("/"):
        raise ValueError("neither sqlite nor postgresql")
    return value


def webhook_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        secret_key(value.get_secret_value())  # ValueError, which does not quote it
    return value


def hosts_and_networks(value: str) -> str:
    Guard.parse(value)  # ValueError, which quotes nothing
    return value


def networks_only(value: str) -> str:
    for word in value.replace(",", " ").split():
        ip_network(word)
    return value


Address = Annotated[str, AfterValidator(http_address), Kind("address")]
Hosts = Annotated[str, AfterValidator(hosts_and_networks), Kind("hosts")]
Networks = Annotated[str, AfterValidator(networks_only), Kind("networks")]
ProxyAddress = Annotated[SecretStr, AfterValidator(proxy_address), Kind("proxy")]
DatabaseAddress = Annotated[SecretStr, AfterValidator(database_address), Kind("database")]
Secret = Annotated[SecretStr, Kind("secret")]
WebhookSecret = Annotated[SecretStr, AfterValidator(webhook_secret), Kind("webhook_secret")]
Folder = Annotated[Path, AfterValidator(from_home), Kind("path")]
ExistingFile = Annotated[FilePath, Kind("file")]
