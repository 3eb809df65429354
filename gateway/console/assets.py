"""Our CSS and ES modules: /console/static/HASH/name, kept by browsers for ever.

One hash over all files, so that modules import each other by name and still change together.
"""

import hashlib
import mimetypes
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Assets:
    """The files of one folder, in memory."""

    def __init__(self, folder: Path) -> None:
        self._files = {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name}:{len(content)}:".encode() + content)
        self.version = digest.hexdigest()[:16]

    def address(self, name: str) -> str:
        """Where a page finds it. Raises: KeyError for a file that is not there."""
        return f"/console/static/{self.version}/{name}" if self._files[name] is not None else ""

    async def serve(self, request: web.Request) -> web.Response:
        """The file; what another version of the program asks for is not kept."""
        name = request.match_info["name"]
        content = self._files.get(name)
        if content is None:
            raise web.HTTPNotFound
        is_current = request.match_info["version"] == self.version
        kind = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = "public, max-age=31536000, immutable" if is_current else "no-cache"
        charset = "utf-8" if kind.startswith("text/") else None
        return web.Response(body=content, content_type=kind, charset=charset, headers={"Cache-Control": kept})


ASSETS = Assets(FOLDER)
