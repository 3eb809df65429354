"""The composition root: what the settings say reaches the parts that it is about."""

import asyncio
from pathlib import Path

from gateway.app import open_gateway, open_pipeline
from gateway.cli import run
from gateway.model.errors import NotSent
from gateway.settings import load


async def test_each_destination_is_tried_again_after_its_own_interval(tmp_path: Path) -> None:
    """GATEWAY_TEMIS_PROBE_S shortens the wait for TEMIS and for nothing else."""
    env = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "GATEWAY_TOKEN_URL": "http://127.0.0.1:9/token",
        "GATEWAY_TEMIS_URL": "http://127.0.0.1:9/temis",
        "GATEWAY_REGISTRY_URL": "http://127.0.0.1:9/registry",
        "GATEWAY_TEMIS_PROBE_S": "0.5",
    }
    assert await asyncio.to_thread(run, ["init"], env) == 0
    async with open_gateway(load(env)) as gateway, open_pipeline(gateway) as pipeline:
        gates = {gate.name: gate for gate in pipeline.gates}
        for gate in gates.values():
            for _ in range(5):
                gate.failed(NotSent("down"))
        assert 0 < gates["temis"].wait_s() <= 0.5
        assert 29 < gates["registry"].wait_s() <= 30
