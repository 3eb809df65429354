"""Where a demonstration lives: a new folder with data and keys, two ports, an environment that names them."""

import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.model.errors import ConfigError
from gateway.model.texts import Lang

HOST = "127.0.0.1"
GATEWAY_PORT, SANDBOX_PORT = 8080, 9200  # taken where they are free


@dataclass(frozen=True, slots=True)
class Place:
    """One demonstration's folder and addresses."""

    folder: Path
    port: int
    sandbox_port: int
    lang: Lang

    @property
    def gateway(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def env_file(self) -> Path:
        return self.folder / "env"

    @property
    def log_file(self) -> Path:
        return self.folder / "serve.log"

    def settings(self) -> dict[str, str]:
        """All GATEWAY_* names of it. Outages and corrections are noticed soon: nobody wants to wait."""
        return {
            "GATEWAY_DATA_DIR": str(self.folder / "data"),
            "GATEWAY_KEYS_FILE": str(self.folder / "keys" / "keys.json"),
            "GATEWAY_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_TOKEN_URL": f"{self.sandbox}/oauth/token",
            "GATEWAY_TEMIS_URL": f"{self.sandbox}/temis",
            "GATEWAY_REGISTRY_URL": f"{self.sandbox}/registry",
            "GATEWAY_TEMIS_TIMEOUT_S": "2",
            "GATEWAY_TEMIS_PROBE_S": "0.5",
            "GATEWAY_REGISTRY_CHANGES_POLL_S": "1",
            "GATEWAY_LANG": self.lang,
        }

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """`env` with the settings of this place instead of any others."""
        kept = {name: value for name, value in env.items() if not name.startswith("GATEWAY_")}
        return kept | self.settings()

    def write_env(self) -> None:
        """A file to source, so that `gateway` is found and every command works on this place."""
        programs = Path(sys.executable).parent  # a virtual environment that nobody has activated
        lines = [f'export PATH={shlex.quote(str(programs))}:"$PATH"\n']
        lines += [f"export {name}={shlex.quote(value)}\n" for name, value in self.settings().items()]
        self.env_file.write_text("".join(lines), "utf-8")


def make_place(folder: Path | None, lang: Lang) -> Place:
    """A new place. Raises: ConfigError when `folder` holds anything: a demonstration never joins real data."""
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder")
    (folder / "data").mkdir(parents=True, mode=0o700)
    port = _free_port(GATEWAY_PORT)
    place = Place(folder.resolve(), port, _free_port(SANDBOX_PORT, taken=port), lang)
    place.write_env()
    return place


def _free_port(wanted: int, taken: int = 0) -> int:
    """`wanted` where nobody listens on it, else one that the system picks."""
    for port in (wanted, 0, 0):
        with socket.socket() as probe:
            if os.name == "posix":  # as servers do: a port that was just left is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            if found != taken:
                return found
    raise ConfigError("no port is free")
