"""The stream of a piece's events, over connections that break."""

from __future__ import annotations

from tests.support.browser import Visit


def test_a_broken_stream_of_events_is_resumed_where_it_stopped(modules: Visit) -> None:
    """The connection breaks in the middle of an event, twice; every note comes once."""
    received, resumed, connections = modules.run(
        """async () => {
          const { events } = await import("/static/api.js");
          const block = (id) => `id: ${id}\\nevent: note\\ndata: [${id}, 1, 60, 64]\\n\\n`;
          const end = "event: end\\ndata: {}\\n\\n";
          const parts = [block(1) + block(2) + "id: 3\\nevent: no", ": hello\\n\\n" + block(3), block(4) + end];
          const resumed = [];
          window.fetch = async (path, { headers }) => {
            resumed.push(headers["Last-Event-ID"] ?? null);
            const bytes = new TextEncoder().encode(parts.shift());
            return new Response(new ReadableStream({
              start(controller) { for (const byte of bytes) controller.enqueue(new Uint8Array([byte])); },
              pull(controller) { controller[bytes.length % 2 ? "close" : "error"](new Error("gone")); },
            }));
          };
          const [received, connections] = [[], []];
          const onConnection = (isConnected) => connections.push(isConnected);
          const options = { signal: new AbortController().signal, onConnection };
          const piece = { links: { events: "/x" } };
          for await (const { kind, data } of events(piece, options)) received.push(data[0] ?? kind);
          return [received, resumed, connections];
        }"""
    )
    assert received == [1, 2, 3, 4, "end"]
    assert resumed == [None, "2", "3"]
    assert connections[-1] is True
