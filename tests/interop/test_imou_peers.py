"""Other people's Imou clients against the simulator: it must satisfy those who know the real cloud.

They live in a virtual environment of their own (``CAMSYNC_IMOU_PEERS_PYTHON``), with a newer Python
than the peers for recorders need.
"""

from __future__ import annotations

import json
import os
import subprocess
import textwrap

from pathlib import Path

import pytest

from camsync.testing import ImouSimulator


PEERS = os.environ.get("CAMSYNC_IMOU_PEERS_PYTHON", "")
KINDS = ("camera", "nvr", "offline", "no-card")

pytestmark = pytest.mark.skipif(
    not PEERS, reason="CAMSYNC_IMOU_PEERS_PYTHON is not set: use nox -s interop"
)


def _peer(script: str, simulator: ImouSimulator, **more: str) -> dict[str, dict[str, object]]:
    environment = {
        **os.environ,
        "BASE": simulator.base_url,
        "APP_ID": simulator.app_id,
        "APP_SECRET": simulator.app_secret,
        **more,
    }
    done = subprocess.run(
        [PEERS, "-c", textwrap.dedent(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def test_imouapi_logs_in_and_lists_devices() -> None:
    """The client imouapi (MD5 signatures, the older lists) finds every device with its name."""
    with ImouSimulator(devices=KINDS, sign="md5") as simulator:
        found = _peer(
            """
            import asyncio, json, os
            import aiohttp
            from imouapi.api import ImouAPIClient
            from imouapi.device import ImouDiscoverService

            async def main():
                async with aiohttp.ClientSession() as session:
                    client = ImouAPIClient(os.environ["APP_ID"], os.environ["APP_SECRET"], session)
                    client.set_base_url(os.environ["BASE"] + "/openapi")
                    devices = await ImouDiscoverService(client).async_discover_devices()
                    names = {device.get_device_id(): device.get_name() for device in devices.values()}
                    print(json.dumps({"names": names}))

            asyncio.run(main())
            """,
            simulator,
        )

        assert {device.id: device.name for device in simulator.devices} == found["names"]
        assert simulator.logins >= 1


def test_pyimouapi_logs_in_and_lists_devices(tmp_path: Path) -> None:
    """The client pyimouapi (the vendor's own, over TLS) finds every device with its channels."""
    with ImouSimulator(devices=KINDS, tls=True) as simulator:
        certificate = tmp_path / "simulator.pem"
        certificate.write_text(simulator.certificate or "")
        found = _peer(
            """
            import asyncio, json, os, ssl
            import aiohttp
            from pyimouapi.device import ImouDeviceManager
            from pyimouapi.openapi import ImouOpenApiClient

            async def main():
                context = ssl.create_default_context(cafile=os.environ["CERTIFICATE"])
                connector = aiohttp.TCPConnector(ssl=context)
                async with aiohttp.ClientSession(connector=connector) as session:
                    place = os.environ["BASE"].partition("://")[2]
                    client = ImouOpenApiClient(
                        os.environ["APP_ID"], os.environ["APP_SECRET"], place, session=session
                    )
                    devices = await ImouDeviceManager(client).async_get_devices()
                    print(json.dumps({"channels": {d.device_id: len(d.channels) for d in devices}}))

            asyncio.run(main())
            """,
            simulator,
            CERTIFICATE=str(certificate),
        )

        truth = {device.id: len(device.channels) for device in simulator.devices}
        assert truth == found["channels"]
        assert simulator.logins >= 1
