import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { S3Error } from './s3-error.js';

/** What the check needs of a request. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Bound of R2 and S3 for the difference of the clocks, ms. */
const MAX_SKEW = 15 * 60_000;
/** Headers without which a signature proves too little. */
const MUST_BE_SIGNED = ['host', 'x-amz-content-sha256', 'x-amz-date'];

/**
 * Checks an AWS Signature Version 4 in the Authorization header, the payload's hash and the clock.
 * Source: S3 API reference, "Signature Calculations for the Authorization Header".
 */
export function checkSignature(request: SignedRequest, credentials: Credentials, now: Date): void {
  const authorization = request.headers.authorization ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  if (match === null) throw new S3Error(403, 'AccessDenied', 'The request is not signed with AWS4-HMAC-SHA256.');
  const [, accessKeyId = '', date = '', region = '', signedHeaders = '', signature = ''] = match;
  if (accessKeyId !== credentials.accessKeyId) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The access key does not exist.');
  }
  checkClock(header(request, 'x-amz-date'), date, now);
  const names = signedHeaders.split(';');
  if (MUST_BE_SIGNED.some((name) => !names.includes(name))) {
    throw new S3Error(403, 'AccessDenied', 'There were headers present in the request which were not signed.');
  }
  const scope = `${date}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', header(request, 'x-amz-date'), scope, sha256(canonical(request, names))].join(
    '\n',
  );
  const expected = hmac(signingKey(credentials.secretAccessKey, date, region), toSign);
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    throw new S3Error(403, 'SignatureDoesNotMatch', `The signature does not match. AWSAccessKeyId: ${accessKeyId}`);
  }
  checkPayload(request);
}

function checkClock(amzDate: string, scopeDate: string, now: Date): void {
  const iso = amzDate.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const time = Date.parse(iso);
  if (Number.isNaN(time) || !amzDate.startsWith(scopeDate)) throw new S3Error(403, 'AccessDenied', 'Bad X-Amz-Date.');
  if (Math.abs(time - now.getTime()) > MAX_SKEW) {
    throw new S3Error(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the server is too large.',
    );
  }
}

function checkPayload(request: SignedRequest): void {
  const claimed = header(request, 'x-amz-content-sha256');
  if (claimed === 'UNSIGNED-PAYLOAD') return;
  if (claimed.startsWith('STREAMING-')) throw new S3Error(501, 'NotImplemented', `${claimed} is not implemented.`);
  if (claimed !== sha256(request.body)) {
    throw new S3Error(400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match.");
  }
}

function canonical(request: SignedRequest, names: readonly string[]): string {
  const [path = '', query = ''] = request.url.split(/\?(.*)/s);
  const headers = names.map((name) => `${name}:${header(request, name).trim().replaceAll(/ +/g, ' ')}\n`).join('');
  const payload = header(request, 'x-amz-content-sha256');
  return [request.method, canonicalPath(path), canonicalQuery(query), headers, names.join(';'), payload].join('\n');
}

function canonicalPath(path: string): string {
  return path
    .split('/')
    .map((segment) => encode(decodeURIComponent(segment)))
    .join('/');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  return query
    .split('&')
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
    })
    .sort()
    .join('&');
}

function encode(text: string): string {
  const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, hex);
}

function header(request: SignedRequest, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function signingKey(secret: string, date: string, region: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), 's3'), 'aws4_request');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
