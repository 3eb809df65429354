"""The bare yardstick of accepting: an aiohttp server that answers each POST with the body it was sent.

`python -m bench.echo PORT`
"""

import asyncio
import sys

import uvloop
from aiohttp import web

from bench.place import HOST


async def _echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), status=202, content_type="application/json")


async def _serve(port: int) -> None:
    app = web.Application(client_max_size=2**21)
    app.router.add_post("/v1/vendors/{vendor}/completions", _echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port, backlog=1024).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
