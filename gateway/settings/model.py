"""Every setting: one frozen model. `GATEWAY_TEMIS_TIMEOUT_S` is `settings.temis.timeout_s`.

Each field has a default, a range where it is a number, its unit in its name and one sentence; docs/settings.md
is generated from here.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from gateway.model.completion import Frozen
from gateway.model.texts import Lang
from gateway.settings.kinds import (
    Address,
    DatabaseAddress,
    ExistingFile,
    Folder,
    Hosts,
    Networks,
    ProxyAddress,
    Secret,
    WebhookSecret,
)


class Destination(Frozen):
    """An outside system that the gateway calls: where it is, who we are there, how hard we may call it."""

    url: Address | None = Field(None, description="Base address; the worker does not start without it.")
    client_id: str = Field(
        "lms-temis-gateway",
        min_length=1,
        max_length=200,
        description="OAuth2 client name for this destination.",
    )
    client_secret: Secret = Field(
        SecretStr(""), description="OAuth2 client secret; empty suits only the sandbox, which asks for none."
    )
    ca_file: ExistingFile | None = Field(
        None, description="PEM file of the authorities trusted for this destination instead of the system's."
    )
    client_cert: ExistingFile | None = Field(
        None, description="PEM client certificate for mutual TLS; needs the client key as well."
    )
    client_key: ExistingFile | None = Field(None, description="PEM private key of the client certificate.")
    proxy: ProxyAddress | None = Field(None, description="HTTP proxy on the way to this destination.")
    timeout_s: float = Field(15, ge=0.1, le=300, description="Longest wait for one call, connecting included.")
    rate_per_s: float = Field(
        50, gt=0, le=100_000, description="Calls a second that all processes together may start."
    )
    concurrency: int = Field(4, ge=1, le=256, description="Calls that one process may have open at once.")
    probe_s: float = Field(
        30, ge=0.1, le=3_600, description="While the destination is down: time between two tries."
    )
    contact: str = Field(
        "", max_length=200, description="Whom people may ask about it; empty keeps the contact that is known."
    )


class Temis(Destination):
    """TEMIS: takes the BDTX records."""

    batch_items: int = Field(
        200, ge=1, le=200, description="Records in one push; the contract allows at most 200."
    )
    reconcile_every_s: int = Field(
        86_400, ge=0, le=2_592_000, description="How often everything is read back and compared; 0 is never."
    )
    reconcile_rate_per_s: float = Field(
        5, gt=0, le=1_000, description="Calls a second for reading back, 200 records each."
    )


class Registry(Destination):
    """The sector database (CSDL ngành): says who a person is."""

    batch_items: int = Field(
        100, ge=1, le=100, description="Identifiers in one look-up; the contract allows at most 100."
    )
    changes_poll_s: int = Field(
        10, ge=0, le=86_400, description="How often the change feed is read; 0 when there is no feed."
    )
    webhook_secret: WebhookSecret = Field(
        SecretStr(""),
        description="Signs the changes that the sector database sends by itself; empty takes none.",
    )


class Alerts(Frozen):
    """Where alerts are posted, beside the log, the metrics and the table."""

    webhook_url: Address | None = Field(
        None, description="Address that each alert is posted to; by default none (contracts/alerts/README.md)."
    )
    webhook_secret: WebhookSecret = Field(
        SecretStr(""), description="Signs posted alerts by Standard Webhooks; empty sends them unsigned."
    )
    least: Literal["info", "warning", "critical"] = Field(
        "warning", description="Least severe alerts that are posted."
    )


class Settings(Frozen):
    """All settings of one process. Read them with `load`, which names every fault at once."""

    data_dir: Folder = Field(
        Path("./data"), validate_default=True, description="Folder of everything the gateway keeps on disk."
    )
    database_url: DatabaseAddress | None = Field(
        None,
        description="`sqlite:///FILE` or `postgresql://…`; by default the file gateway.db in the data folder.",
    )
    keys_file: Folder = Field(
        Path("~/.config/lms-temis-gateway/keys.json"),
        validate_default=True,
        description="Keys that open the stored data; must lie outside the data folder and in no backup of it.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address that `gateway serve` listens on.")
    port: int = Field(8080, ge=1, le=65_535, description="Port that `gateway serve` listens on.")
    worker_metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port on which `gateway work` shows its metrics; 0 shows none."
    )
    lang: Lang = Field("vi", description="Language of texts where the reader has not chosen one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important log lines that are written."
    )
    log_json: bool = Field(True, description="One JSON object a line; false writes lines for human eyes.")
    console_url: Address | None = Field(
        None, description="Address at which people open the console from outside; https makes cookies secure."
    )
    session_idle_s: int = Field(
        1_800, ge=60, le=86_400, description="A session of the console ends when it was not used for so long."
    )
    session_max_s: int = Field(
        43_200, ge=300, le=604_800, description="Longest session of the console, however much it is used."
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1_024, le=67_108_864, description="Largest request body; a larger one is answered 413."
    )
    max_batch_items: int = Field(500, ge=1, le=5_000, description="Most completions in one request.")
    trusted_proxies: Networks = Field(
        "", description="Networks of our proxies, whose X-Forwarded-For and certificate header are believed."
    )
    client_cert_header: str = Field(
        "",
        max_length=100,
        pattern=r"^[A-Za-z0-9-]*$",
        description="Header in which our proxies state the SHA-256 of a client's certificate; empty: none.",
    )
    callback_allow: Hosts = Field(
        "",
        description="Hosts and networks inside to which callbacks may go all the same, also without TLS.",
    )
    accept_queue_max_age_ms: int = Field(
        2_000,
        ge=10,
        le=60_000,
        description="When the oldest request waits this long for its commit, new ones are answered 503.",
    )
    token_url: Address | None = Field(
        None, description="OAuth2 token address of both destinations; the worker does not start without it."
    )
    temis: Temis = Temis()
    registry: Registry = Registry()
    alerts: Alerts = Alerts()
    claim_rows: int = Field(600, ge=1, le=1_000, description="Deliveries that a worker leases at once.")
    lease_ms: int = Field(
        60_000,
        ge=1_000,
        le=3_600_000,
        description="How long a claim keeps others away; at least the longest call timeout and 5 s more.",
    )
    poll_ms: int = Field(250, ge=5, le=60_000, description="How often an idle worker looks for due deliveries.")
    verify_concurrency: int = Field(
        2, ge=1, le=64, description="Batches that one process verifies at the same time."
    )
    deliver_concurrency: int = Field(
        4, ge=1, le=64, description="Batches that one process delivers at the same time."
    )
    policy_file: ExistingFile | None = Field(
        None, description="Identity policy (TOML) used instead of the one that comes with the gateway."
    )
    snapshot_max_age_s: int = Field(
        900, ge=0, le=86_400, description="Age up to which an answer of the sector database is used again."
    )
    negative_max_age_s: int = Field(
        60, ge=0, le=86_400, description="Age up to which the answer `not found` is used again."
    )
    snapshot_feed_max_age_s: int = Field(
        86_400,
        ge=0,
        le=604_800,
        description="Age up to which an answer is used again while the change feed keeps up.",
    )
    feed_lag_max_s: int = Field(
        60, ge=1, le=3_600, description="Lag up to which the change feed counts as keeping up."
    )
    files_keep_days: int = Field(
        7,
        ge=1,
        le=90,
        description="Days after which files uploaded for a check, and their results, are deleted.",
    )
    drain_s: int = Field(
        25, ge=0, le=600, description="Time for work in hand after SIGTERM; Kubernetes kills after 30 s."
    )

    @property
    def database(self) -> str:
        """The database in use, secrets included: never to be shown or logged."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'gateway.db').absolute()}"
