"""Signs a request as the gateway checks it (Standard Webhooks 1.0.0). Nothing beyond Python's own library."""

import base64
import hashlib
import hmac
import time
import uuid


def signed(secret: str, body: bytes) -> dict[str, str]:
    """The headers for exactly these bytes. Sign anew when sending again later: the time is signed too."""
    message_id, at = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
