import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Action, Faults } from './faults.js';
import { operationOf, type S3Answer, type S3Request } from './operations.js';
import { S3Error } from './s3-error.js';
import type { Credentials } from './signature.js';
import { document } from './xml.js';

/** One line of the request log. */
export interface LoggedRequest {
  readonly method: string;
  readonly operation: string;
  readonly key: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Port of the client's end: the same for requests over one connection. */
  readonly connection: number;
}

/** A request as it came. */
export interface Received extends S3Request {
  /** The path with its query, as it was signed. */
  readonly url: string;
  readonly bucket: string;
  readonly operation: string;
}

/** A server on loopback that speaks S3, keeps a log of its requests, and does to them what faults say. */
export abstract class S3Server {
  abstract readonly bucket: string;
  abstract readonly credentials: Credentials;
  abstract readonly region: string;
  readonly faults = new Faults();
  readonly log: LoggedRequest[] = [];
  #server: Server | undefined;
  #port: number;

  protected constructor(port = 0) {
    this.#port = port;
  }

  /** Undefined where it cannot tell: then the connection breaks. Throws S3Error. */
  protected abstract answer(request: Received): S3Answer | undefined | Promise<S3Answer | undefined>;

  /** Lets time pass for limits of the server, so that tests need not wait. */
  abstract advance(ms: number): void;

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How many requests there were, of an operation where one is named. */
  count(operation?: string): number {
    return this.log.filter((line) => operation === undefined || line.operation === operation).length;
  }

  now(): Date {
    return new Date();
  }

  /** Refuses connections, as a store that is down does. */
  async goDown(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    this.faults.clear();
    await this.goDown();
  }

  /** Whether a request was not S3 at all, and has its answer. */
  protected obeys(_path: string, _body: Buffer, _response: ServerResponse): boolean {
    return false;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(incoming).catch(() => undefined);
    // The client went away in the middle of the body: nothing happened.
    if (body === undefined) return;
    const url = new URL(incoming.url ?? '/', this.endpoint);
    if (this.obeys(url.pathname, body, response)) return;
    const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? [];
    const { method = '', headers } = incoming;
    const query = url.searchParams;
    const operation = operationOf(method, key, query) ?? 'Unknown';
    const fault = this.faults.take(method, operation, key);
    if (fault?.kind === 'reset') return void response.destroy();
    await pass(fault, 'before');
    const request = { method, key, query, headers, body, url: incoming.url ?? '/', bucket, operation };
    const answer = await this.#answer(request, fault);
    await pass(fault, 'answer');
    if (answer === undefined) return void response.destroy();
    const connection = incoming.socket.remotePort ?? 0;
    const { status } = answer;
    const line = { method, operation, key, status, bytesIn: body.length, bytesOut: 0, headers, connection };
    this.log.push(line);
    if (fault?.kind === 'lose-answer') return void response.destroy();
    line.bytesOut = await send(response, method, answer, this.now(), fault);
  }

  async #answer(request: Received, fault: Action | undefined): Promise<S3Answer | undefined> {
    try {
      failBefore(fault);
      const answer = await this.answer(request);
      if (fault?.kind === 'status-after') throw new S3Error(fault.status, fault.code ?? 'InternalError');
      return answer;
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      const body = document('Error', [
        ['Code', error.code],
        ['Message', error.message],
        ['RequestId', 'double'],
      ]);
      return { status: error.status, headers: error.headers, body };
    }
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function pass(fault: Action | undefined, when: 'before' | 'answer'): Promise<void> {
  if (fault?.kind !== 'hold' || fault.when !== when) return;
  fault.gate.arrive();
  await fault.gate.opened;
}

/** The usual error code of a status. */
const CODES: Readonly<Record<number, string>> = {
  400: 'InvalidRequest',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  408: 'RequestTimeout',
  412: 'PreconditionFailed',
  429: 'TooManyRequests',
  501: 'NotImplemented',
  503: 'SlowDown',
  507: 'InsufficientStorage',
};

function failBefore(fault: Action | undefined): void {
  if (fault?.kind !== 'status') return;
  const headers = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
  throw new S3Error(fault.status, fault.code ?? CODES[fault.status] ?? 'InternalError', 'fault', headers);
}

async function send(
  response: ServerResponse,
  method: string,
  answer: S3Answer,
  now: Date,
  fault: Action | undefined,
): Promise<number> {
  if (fault?.kind === 'web-page') {
    response.writeHead(fault.status, { 'content-type': 'text/html' });
    response.end('<!doctype html><html><head><title>Welcome</title></head><body><p>It works!<br></body></html>');
    return 0;
  }
  const text = typeof answer.body === 'string' ? { 'content-type': 'application/xml' } : {};
  response.writeHead(answer.status, { date: now.toUTCString(), ...text, ...answer.headers });
  if (method === 'HEAD' || answer.body === undefined) {
    response.end();
    return 0;
  }
  let sent = 0;
  for (const whole of typeof answer.body === 'string' ? [Buffer.from(answer.body)] : answer.body) {
    const chunk = fault?.kind === 'flip-bit' ? flip(whole, fault.at - sent) : whole;
    const cut = fault?.kind === 'cut-body' ? Math.min(chunk.length, fault.after - sent) : chunk.length;
    sent += cut;
    const drained = response.write(chunk.subarray(0, cut));
    if (cut < chunk.length) {
      // The bytes must be on their way before the connection goes.
      await new Promise((resolve) => response.write('', resolve));
      response.destroy();
      return sent;
    }
    if (!drained) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
    if (response.destroyed) return sent;
  }
  response.end();
  return sent;
}

function flip(chunk: Buffer, at: number): Buffer {
  if (at < 0 || at >= chunk.length) return chunk;
  const copy = Buffer.from(chunk);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
