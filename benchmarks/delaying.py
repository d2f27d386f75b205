"""A proxy in front of a server's Unix socket that delays every byte, as a network between two cities would.

``python benchmarks/delaying.py SOCKET FOLDER MILLISECONDS`` listens on the socket of the same name in FOLDER, passes
everything on so many milliseconds later each way, and prints ``ready`` when it listens.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from pathlib import Path


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Write what is read after the delay; many portions may be under way at once."""
    clock = asyncio.get_running_loop().time
    under_way: deque[tuple[float, bytes]] = deque()
    arrived = asyncio.Event()

    async def deliver() -> None:
        while True:
            while not under_way:
                arrived.clear()
                await arrived.wait()
            due, data = under_way.popleft()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    try:
        while data := await reader.read(1 << 16):
            under_way.append((clock() + delay, data))
            arrived.set()
    except ConnectionError:
        pass
    under_way.append((clock() + delay, b""))
    arrived.set()
    await asyncio.wait([delivery])


async def main(socket: str, folder: str, milliseconds: float) -> None:
    """Serve until killed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(
            pass_on(reader, their_writer, milliseconds / 1_000),
            pass_on(their_reader, writer, milliseconds / 1_000),
        )

    server = await asyncio.start_unix_server(serve, Path(folder) / Path(socket).name)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
