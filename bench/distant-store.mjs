#!/usr/bin/env node
// An S3 store as one that is elsewhere looks from here: it answers after a while, takes no more than a line does, and costs this
// machine next to nothing. Large bodies are thrown away as they come, small ones (manifests, tables, records) are kept in memory.
// It trusts everybody, hashes nothing, and knows only what Eider asks of a store.
//
//   node bench/distant-store.mjs '{"latencyMs":50,"bytesPerSecond":117700000}'
//
// Prints one JSON line {endpoint} when it listens; ends on SIGTERM, or when its standard input closes.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { listing, Objects } from './distant-objects.mjs';

/** The line may be ahead of its speed by this much before a sender is held back, ms: timers are no finer. */
const SLACK_MS = 4;

const { latencyMs, bytesPerSecond } = JSON.parse(process.argv[2]);
const objects = new Objects();
/** When the line will have carried what came so far, ms. All connections share it. */
let busyUntil = 0;

// The client keeps connections open; one that is closed while a request is on its way would cost it a second attempt.
const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const body = [];
  let size = 0;
  request.on('data', (chunk) => {
    size += chunk.length;
    if (size <= Objects.MOST_KEPT) body.push(chunk);
    else body.length = 0;
    carry(request, chunk.length);
  });
  request.on('end', () => {
    const { status, headers = {}, content = '' } = answer(request, { size, body });
    setTimeout(() => {
      response.writeHead(status, { 'Content-Length': Buffer.byteLength(content), ...headers });
      response.end(request.method === 'HEAD' ? undefined : content);
    }, latencyMs);
  });
});

/** Holds a sender back until the line has carried its bytes. */
function carry(request, bytes) {
  const now = performance.now();
  busyUntil = Math.max(busyUntil, now) + (bytes / bytesPerSecond) * 1000;
  if (busyUntil - now < SLACK_MS) return;
  request.pause();
  setTimeout(() => request.resume(), busyUntil - now);
}

function answer({ method, url, headers }, { size, body }) {
  const { pathname, searchParams: query } = new URL(url, 'http://store');
  const [, , ...path] = pathname.split('/');
  const key = decodeURIComponent(path.join('/'));
  if (key === '') return method === 'GET' ? listing(objects, query) : { status: 200 };
  const content = size <= Objects.MOST_KEPT ? Buffer.concat(body) : undefined;
  switch (method) {
    case 'PUT':
      if (query.has('uploadId')) return objects.part(query.get('uploadId'), Number(query.get('partNumber')), size);
      return objects.put(key, size, content, headers['if-none-match'] === '*');
    case 'POST':
      return query.has('uploads') ? objects.begin(key) : objects.complete(key, query.get('uploadId'));
    case 'DELETE':
      return query.has('uploadId') ? objects.discard(query.get('uploadId')) : objects.delete(key);
    default:
      return objects.get(key, headers.range, method === 'HEAD');
  }
}

server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(JSON.stringify({ endpoint: `http://127.0.0.1:${server.address().port}` }));

const stop = () => process.exit(0);
process.on('SIGTERM', stop);
process.stdin.on('end', stop).resume();
