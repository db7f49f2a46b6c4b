"""The stream client's own ceiling: a server that only pushes prepared bytes, as fast as the kernel takes them.

`python -m bench.peers.pusher PORT ROWS_FILE`: a GET is a stream, a POST to `/200` sends them the next 200 rows.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from pathlib import Path

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
PART = 1 << 18


def push(streams: list[socket.socket], data: bytes) -> None:
    view = memoryview(data)
    poll = select.epoll()
    left = {stream.fileno(): (stream, 0) for stream in streams}
    for descriptor in left:
        poll.register(descriptor, select.EPOLLOUT)
    while left:
        for descriptor, _ in poll.poll():
            stream, sent = left[descriptor]
            sent += stream.send(view[sent : sent + PART])
            left[descriptor] = (stream, sent)
            if sent == len(data):
                poll.unregister(descriptor)
                del left[descriptor]
    poll.close()


def serve(port: int, rows: list[bytes]) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    streams: list[socket.socket] = []
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                client = listener.accept()[0]
                clients[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
                continue
            client = clients[descriptor]
            request = client.recv(PART)
            if request.startswith(b"GET"):
                client.setblocking(False)
                client.send(STREAM)
                streams.append(client)
            elif request.startswith(b"POST"):
                number = int(request.split(b" ", 2)[1].strip(b"/"))
                push(streams, b"".join(rows[:number]))
                del rows[:number]
                client.sendall(ANSWER)
            else:
                poll.unregister(client)
                del clients[descriptor]


if __name__ == "__main__":
    texts: list[str] = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    serve(int(sys.argv[1]), [b"data: " + text.encode().replace(b"\n", b"\ndata: ") + b"\n\n" for text in texts])
