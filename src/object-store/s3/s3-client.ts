import type { S3Client as Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { BucketConfig } from '../../config/store.config.js';
import { S3Client } from './sdk.js';

/**
 * The SDK's client, set up for R2 and other S3-compatible stores (docs: R2's "aws-sdk-js-v3" page).
 *
 * - Checksums only where S3 requires them: the default CRC32 trailers fail or corrupt on R2 and others
 *   (aws-sdk-js-v3#6810); integrity is Content-MD5 on the way up and our own SHA-256 on the way back.
 * - No `Expect: 100-continue`: R2 does not know it, and the SDK opens a new connection for each such request.
 * - No retry of the SDK's: it repeats create-only writes blindly, ignores XAmzContentSHA256Mismatch and gives up on a body
 *   that is cut in the middle. Repeating is ours (s3-requests.ts).
 * - The clock is not corrected from the store's answers: backup names, recovery times and retention use this machine's
 *   clock, so one that is off by more than the signature's 15 minutes must be an error (STORE_CLOCK_SKEW), not a secret.
 */
export function createS3Client(config: BucketConfig): Client {
  // Two more than the limiter lets through, so that aborting and listing never wait behind parts for a socket.
  const agent = { keepAlive: true, maxSockets: config.maxConcurrency + 2, maxFreeSockets: config.maxConcurrency };
  return new S3Client({
    region: config.region,
    endpoint: config.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    disableClockSkewCorrection: true,
    retryStrategy: { mode: 'none', retry: (next, args) => next(args) },
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: Math.min(10_000, config.requestTimeoutMs),
      socketAcquisitionWarningTimeout: 600_000,
    }),
  });
}

/** Calls `seen` with this machine's clock minus the store's, in ms, for every answer that has a Date header. */
export function watchClock(client: Client, seen: (skewMs: number) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const date = dateOf(result.response);
      if (date !== undefined) seen(Date.now() - date);
      return result;
    },
    // Inside the deserializer, so that answers that become errors are seen too.
    { step: 'deserialize', priority: 'low', name: 'watchClock' },
  );
}

function dateOf(response: unknown): number | undefined {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('date' in headers)) return undefined;
  const time = typeof headers.date === 'string' ? Date.parse(headers.date) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
