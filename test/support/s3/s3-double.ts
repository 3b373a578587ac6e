import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BucketRules, BucketState } from './bucket-state.js';
import { type Action, Faults } from './faults.js';
import { OPERATIONS, operationOf, type S3Answer, type S3Request } from './operations.js';
import { S3Error } from './s3-error.js';
import { checkSignature, type Credentials } from './signature.js';
import { control } from './control.js';
import { document } from './xml.js';

export interface S3DoubleOptions {
  readonly bucket?: string;
  readonly credentials?: Credentials;
  readonly port?: number;
  /** Most entries of a page of a listing. */
  readonly pageSize?: number;
  readonly rules?: Partial<BucketRules>;
  /** Keeps the objects' bytes in files here rather than in memory. */
  readonly folder?: string;
}

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

/** Cloudflare R2's rules. Source: its documentation of S3 compatibility, limits and conditional operations. */
const R2: BucketRules = {
  conditionalWrites: 'yes',
  writesPerSecondAndKey: 1,
  minPartSize: 5 * 1024 * 1024,
  equalParts: true,
};

/**
 * A bucket that speaks S3 over HTTP with R2's rules and real signatures, with switches for everything that goes wrong
 * with real ones.
 */
export class S3Double {
  readonly bucket: string;
  readonly credentials: Credentials;
  readonly faults = new Faults();
  readonly state: BucketState;
  readonly log: LoggedRequest[] = [];
  /** The server's clock minus the machine's, ms. */
  clockOffsetMs = 0;
  /** Refuses DeleteObject, as credentials without that right do. */
  denyDeletes = false;
  bucketExists = true;
  /** The clock that objects are dated by, where it is not the server's own. */
  dates: { now(): Date } | undefined;
  /** Changes the XML of answers, to play a server that is not quite S3. */
  rewrite: (text: string) => string = (text) => text;
  #advanced = 0;
  #server: Server | undefined;
  #port: number;

  private constructor(private readonly options: S3DoubleOptions) {
    this.bucket = options.bucket ?? 'eider-test';
    this.credentials = options.credentials ?? {
      accessKeyId: 'double-access-key',
      secretAccessKey: 'double-secret-key',
    };
    this.#port = options.port ?? 0;
    const clock = { now: () => (this.dates ?? this).now(), monotonicMs: () => performance.now() + this.#advanced };
    this.state = new BucketState({ ...R2, ...options.rules }, clock, options.folder);
  }

  static async start(options: S3DoubleOptions = {}): Promise<S3Double> {
    const double = new S3Double(options);
    await double.comeBack();
    return double;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Keys with their bytes. */
  get objects(): ReadonlyMap<string, Buffer> {
    return new Map(this.state.keys().map((key) => [key, this.state.need(key).blob.toBuffer()]));
  }

  /** How many requests there were, of an operation where one is named. */
  count(operation?: string): number {
    return this.log.filter((line) => operation === undefined || line.operation === operation).length;
  }

  now(): Date {
    return new Date(Date.now() + this.clockOffsetMs);
  }

  /** Lets time pass for the rate limit of writes, so that tests need not wait. */
  advance(ms: number): void {
    this.#advanced += ms;
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

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(incoming).catch(() => undefined);
    // The client went away in the middle of the body: nothing happened.
    if (body === undefined) return;
    const url = new URL(incoming.url ?? '/', this.endpoint);
    if (url.pathname === '/_control') return control(this, body, response);
    const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? [];
    const { method = '', headers } = incoming;
    const request: S3Request = { method, key, query: url.searchParams, headers, body };
    const operation = operationOf(method, key, url.searchParams) ?? 'Unknown';
    const fault = this.faults.take(method, operation, key);
    if (fault?.kind === 'reset') return void response.destroy();
    await pass(fault, 'before');
    const answer = this.#answer(() => {
      failBefore(fault);
      checkSignature({ method, url: incoming.url ?? '', headers, body }, this.credentials, this.now());
      checkIntegrity(headers, body);
      if (bucket !== this.bucket || !this.bucketExists) throw new S3Error(404, 'NoSuchBucket');
      return this.#rewritten(this.#operate(operation, request, fault));
    });
    await pass(fault, 'answer');
    const connection = incoming.socket.remotePort ?? 0;
    const line = {
      method,
      operation,
      key,
      status: answer.status,
      bytesIn: body.length,
      bytesOut: 0,
      headers,
      connection,
    };
    this.log.push(line);
    if (fault?.kind === 'lose-answer') return void response.destroy();
    line.bytesOut = await send(response, method, answer, this.now(), fault);
  }

  #operate(operation: string, request: S3Request, fault: Action | undefined): S3Answer {
    const run = OPERATIONS[operation];
    if (run === undefined) throw new S3Error(501, 'NotImplemented');
    const { state, bucket, denyDeletes } = this;
    const answer = run(request, { state, bucket, denyDeletes, pageSize: this.options.pageSize ?? 1000 });
    if (fault?.kind === 'status-after') throw new S3Error(fault.status, fault.code ?? 'InternalError');
    return answer;
  }

  #rewritten(answer: S3Answer): S3Answer {
    return typeof answer.body === 'string' ? { ...answer, body: this.rewrite(answer.body) } : answer;
  }

  #answer(work: () => S3Answer): S3Answer {
    try {
      return work();
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

/** What R2 refuses: bodies without a length, bodies that are not what Content-MD5 says, and checksum trailers. */
function checkIntegrity(headers: IncomingMessage['headers'], body: Buffer): void {
  if (headers['transfer-encoding'] !== undefined) throw new S3Error(411, 'MissingContentLength');
  if (Object.keys(headers).some((name) => /^x-amz-(checksum-|trailer|sdk-checksum)/.test(name))) {
    throw new S3Error(501, 'NotImplemented', 'Checksum headers are not implemented.');
  }
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) throw new S3Error(400, 'BadDigest');
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
