import { Agent, type IncomingMessage, request as open } from 'node:http';
import type { S3Answer } from './operations.js';
import { type Received, S3Server } from './s3-server.js';
import type { Credentials } from './signature.js';

/** A bucket of a real S3 server that belongs to one test. */
export interface OwnBucket {
  /** An http address; the server takes requests that were signed for another one, as most but the cloud's do. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly bucket: string;
  /** Removes the bucket with all that is in it. */
  remove(): Promise<void>;
}

/** Headers that are of one connection only. */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect']);

/** The way to a bucket of a real S3 server: every request and answer goes through unchanged, but for the faults. */
export class S3Passage extends S3Server {
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(private readonly target: OwnBucket) {
    super();
  }

  static async start(target: OwnBucket): Promise<S3Passage> {
    const passage = new S3Passage(target);
    await passage.comeBack();
    return passage;
  }

  get bucket(): string {
    return this.target.bucket;
  }

  get credentials(): Credentials {
    return this.target.credentials;
  }

  get region(): string {
    return this.target.region;
  }

  /** A real server's time is its own. */
  advance(): void {}

  /** Removes the bucket, too. */
  override async stop(): Promise<void> {
    await super.stop();
    this.#agent.destroy();
    await this.target.remove();
  }

  protected async answer({ method, url, headers, body }: Received): Promise<S3Answer | undefined> {
    const options = { method, headers: ownHeaders(headers), agent: this.#agent };
    return new Promise((resolve) => {
      const broken = (): void => resolve(undefined);
      const request = open(new URL(url, this.target.endpoint), options, (response) => {
        void answerOf(method, response).then(resolve, broken);
      });
      request.on('error', broken).end(body);
    });
  }
}

async function answerOf(method: string, response: IncomingMessage): Promise<S3Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const headers = ownHeaders(response.headers);
  // The length of what a GET would bring is told in the answer to a HEAD; any other answer is as long as it is.
  if (method !== 'HEAD') headers['content-length'] = String(body.length);
  return { status: response.statusCode ?? 502, headers, body: [body] };
}

function ownHeaders(headers: Received['headers']): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !OF_CONNECTION.has(name)) own[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return own;
}
