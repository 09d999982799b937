"""A server of pages on this machine: server.py LOG prints its port, and serves until it is ended.

It notes the page of each request in LOG when it arrives, and answers 50 ms later.
"""

from __future__ import annotations

import asyncio
import os
import sys

ANSWERS_AFTER = 0.05


def page(number: str) -> bytes:
    """What is served of this number."""
    return f"page {number}\n".encode() * 200


async def serve(log: int) -> None:
    """Serve for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            number = request.split(b" ", 2)[1].decode().lstrip("/")
            os.write(log, f"{number}\n".encode())
            await asyncio.sleep(ANSWERS_AFTER)
            body = page(number)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):  # who asked is killed
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    noted = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    asyncio.run(serve(noted))
