// A server below HTTP, for answers that no HTTP server would give.

/** A server that writes what it is told to, at its pace, to each connection once something was asked. */
export function writing(write: (connection: Deno.TcpConn) => Promise<void>): { url: string } & Disposable {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const connections: Deno.TcpConn[] = [];
  (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      connection.read(new Uint8Array(4096)).then(() => write(connection)).catch(() => {});
    }
  })().catch(() => {});
  return {
    url: `http://127.0.0.1:${listener.addr.port}/`,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of connections) closeQuietly(connection);
    },
  };
}

/** Close a connection, unless whoever writes to it has. */
function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
