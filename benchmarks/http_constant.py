"""The server of kmsfast with a constant in place of its endpoint; prints its port."""

import asyncio
import gc
import socket

import uvloop

from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.hub import Server

# As long as the answer to Encrypt of 64 bytes.
BODY = (
    b'{"CiphertextBlob":"' + b"A" * 216 + b'","KeyId":"arn:aws:kms:us-east-1:000000000000:key/'
    b'0987dcba-09fe-87dc-65ba-ab0987654321","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}'
)


class Constant(Endpoint):
    """Looks at nothing."""

    def __init__(self) -> None:
        pass

    def answer(self, _request: Request) -> Reply:
        return Reply(200, BODY)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = Server(Constant(), loop)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = await loop.create_server(server.connection, sock=listening)
        sweeper = asyncio.create_task(server.sweep())
        gc.collect()
        gc.freeze()  # as running.py does
        print(listening.getsockname()[1], flush=True)
        await listener.serve_forever()
        await sweeper


if __name__ == "__main__":
    uvloop.run(main())
