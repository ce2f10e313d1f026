// A TCP server, for answers that no HTTP server would send.

/** Start a server that calls `write` for each connection, as soon as that has sent something. */
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

/** Close a connection, unless `write` has closed it. */
function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
