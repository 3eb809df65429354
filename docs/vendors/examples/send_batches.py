"""Sends a file of completions, an item a line, in batches of 500: python send_batches.py URL VENDOR FILE

The secret comes from the environment: GATEWAY_VENDOR_SECRET=whsec_…
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import islice

from signing import signed

BATCH = 500
LONGEST_PAUSE_S = 300


def batches(path: str) -> Iterator[list[str]]:
    with open(path, encoding="utf-8") as file:
        lines = (line for line in file if line.strip())
        while batch := list(islice(lines, BATCH)):
            yield batch


def send(url: str, secret: str, batch: list[str]) -> list[dict]:
    """The receipts of a batch. Sent again until it is answered: what is sent twice counts once."""
    body = ("[" + ",".join(batch) + "]").encode()
    pause_s = 1.0
    while True:
        try:
            request = urllib.request.Request(url, body, signed(secret, body))
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["receipts"]
        except urllib.error.HTTPError as error:
            told = json.load(error)
            if "receipts" in told:  # 409 or 422: nothing of this batch could be taken
                return told["receipts"]
            if error.code not in (408, 429, 500, 502, 503, 504):
                raise SystemExit(f"{error.code} {told['code']}: {told['detail']}") from None
            pause_s = max(pause_s, float(error.headers.get("Retry-After", 0)))
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            pass  # no answer: nobody knows whether it was stored, so the same again
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def main(base: str, vendor: str, path: str) -> int:
    secret, bad = os.environ["GATEWAY_VENDOR_SECRET"], 0
    for batch in batches(path):
        for receipt in send(f"{base}/v1/vendors/{vendor}/completions", secret, batch):
            if receipt["status"] in ("invalid", "conflict", "stale", "unsupported"):
                bad += 1
                print(json.dumps(receipt, ensure_ascii=False))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
