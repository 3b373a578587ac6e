import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type BucketRules, BucketState } from './bucket-state.js';
import { control } from './control.js';
import { OPERATIONS, type S3Answer } from './operations.js';
import { S3Error } from './s3-error.js';
import { type Received, S3Server } from './s3-server.js';
import { checkSignature, type Credentials } from './signature.js';

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
export class S3Double extends S3Server {
  readonly bucket: string;
  readonly credentials: Credentials;
  readonly region = 'auto';
  readonly state: BucketState;
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

  private constructor(private readonly options: S3DoubleOptions) {
    super(options.port);
    this.bucket = options.bucket ?? 'eider-test';
    this.credentials = options.credentials ?? {
      accessKeyId: 'double-access-key',
      secretAccessKey: 'double-secret-key',
    };
    const clock = { now: () => (this.dates ?? this).now(), monotonicMs: () => performance.now() + this.#advanced };
    this.state = new BucketState({ ...R2, ...options.rules }, clock, options.folder);
  }

  static async start(options: S3DoubleOptions = {}): Promise<S3Double> {
    const double = new S3Double(options);
    await double.comeBack();
    return double;
  }

  /** Keys with their bytes. */
  get objects(): ReadonlyMap<string, Buffer> {
    return new Map(this.state.keys().map((key) => [key, this.state.need(key).blob.toBuffer()]));
  }

  override now(): Date {
    return new Date(Date.now() + this.clockOffsetMs);
  }

  advance(ms: number): void {
    this.#advanced += ms;
  }

  protected override obeys(path: string, body: Buffer, response: ServerResponse): boolean {
    if (path !== '/_control') return false;
    control(this, body, response);
    return true;
  }

  protected answer(request: Received): S3Answer {
    checkSignature(request, this.credentials, this.now());
    checkIntegrity(request.headers, request.body);
    if (request.bucket !== this.bucket || !this.bucketExists) throw new S3Error(404, 'NoSuchBucket');
    const run = OPERATIONS[request.operation];
    if (run === undefined) throw new S3Error(501, 'NotImplemented');
    const { state, bucket, denyDeletes } = this;
    const answer = run(request, { state, bucket, denyDeletes, pageSize: this.options.pageSize ?? 1000 });
    return typeof answer.body === 'string' ? { ...answer, body: this.rewrite(answer.body) } : answer;
  }
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
