"""Streams a file of completions, an item a line: python send_stream.py URL VENDOR FILE STREAM

After any cut it opens the stream again and goes on where it was; run again when done, it sends nothing.
The secret comes from the environment: GATEWAY_VENDOR_SECRET=whsec_…
"""

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlsplit

from signing import signed


def connected(base: str) -> http.client.HTTPConnection:
    at = urlsplit(base)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    return kind(at.netloc, timeout=300)


def opened(base: str, vendor: str, secret: str, stream: str) -> dict:
    """Opens the stream: a token, and the last line that is committed."""
    body = json.dumps({"stream": stream}).encode()
    connection = connected(base)
    connection.request("POST", f"/v1/vendors/{vendor}/streams", body, signed(secret, body))
    answer = connection.getresponse()
    told = json.load(answer)
    connection.close()
    if answer.status not in (200, 201):
        raise SystemExit(f"{answer.status} {told['code']}: {told['detail']}")
    return told


def pieces(path: str, after: int) -> Iterator[bytes]:
    """The lines behind those that are committed, some hundred at a time."""
    with open(path, "rb") as file:
        lines = islice(file, after, None)
        while piece := b"".join(islice(lines, 500)):
            yield piece


def send(base: str, vendor: str, opened: dict, path: str) -> dict:
    """Sends what is missing. Returns: the last line of the answer."""
    connection = connected(base)
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {opened['token']}"}
    at = f"/v1/vendors/{vendor}/completions"
    body = pieces(path, opened["committed_through_line"])
    connection.request("POST", at, body, headers, encode_chunked=True)
    last: dict = {}
    for line in connection.getresponse():
        last = json.loads(line)
        if "line" in last:  # a receipt: this line was not plainly accepted
            print(line.decode().rstrip())
    connection.close()
    return last


def main(base: str, vendor: str, path: str, stream: str) -> int:
    secret, pause_s = os.environ["GATEWAY_VENDOR_SECRET"], 1.0
    while True:
        try:
            last = send(base, vendor, opened(base, vendor, secret, stream), path)
            if last.get("ended") == "complete":
                print(f"committed through line {last['committed_through_line']}")
                if "receipts_after" in last:
                    print(f"fetch the receipts of lines after {last['receipts_after']}")
                return 0
        except (OSError, http.client.HTTPException):
            pass  # cut: the gateway knows how far it came
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 300)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
