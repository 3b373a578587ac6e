import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { pipeline } from 'node:stream';

/**
 * Stands before an S3 server, hands every request on as it is, and counts. It takes time of its own: nothing that is timed
 * goes through it.
 *
 * @param {string} endpoint
 * @param {{ latencyMs?: number }} options   how long each request waits before it is handed on
 * @returns {Promise<{ endpoint: string, counts: Record<string, number>, fetched: () => number, stop: () => Promise<void> }>}
 *   requests by method, and the bytes of what was answered
 */
export async function countRequests(endpoint, { latencyMs = 0 } = {}) {
  const { hostname, port } = new URL(endpoint);
  const counts = {};
  let fetched = 0;
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    // A listing costs as much as a write.
    const kind = method === 'GET' && path.includes('list-type=2') ? 'LIST' : method;
    counts[kind] = (counts[kind] ?? 0) + 1;
    const handOn = () => {
      const onward = request({ hostname, port, method, path, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.rawHeaders);
        answer.on('data', (chunk) => (fetched += chunk.length));
        pipeline(answer, outgoing, () => {});
      });
      onward.on('error', () => outgoing.destroy());
      pipeline(incoming, onward, () => {});
    };
    if (latencyMs > 0) setTimeout(handOn, latencyMs);
    else handOn();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${server.address().port}`,
    counts,
    fetched: () => fetched,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
