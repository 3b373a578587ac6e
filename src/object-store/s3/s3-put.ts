import { PutObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { FailedRequest } from './read-failure.js';
import { failureOfForeigner } from './s3-failure.js';
import type { Request } from './s3-requests.js';

/** Content-MD5 of a body: every S3 checks it, R2 too, so that a body damaged on the way is refused. */
function contentMd5(body: Buffer): string {
  return createHash('md5').update(body).digest('base64');
}

/** One PutObject. A Buffer goes out with its length; a stream would be sent in chunks, which R2 and Ceph refuse. */
export function putRequest(
  bucket: string,
  key: string,
  body: Buffer,
  options: { readonly ifAbsent?: boolean; readonly md5?: string } = {},
): Request<void> {
  const input = {
    Bucket: bucket,
    Key: key,
    Body: body,
    ContentLength: body.length,
    ContentMD5: options.md5 ?? contentMd5(body),
    ContentType: 'application/octet-stream',
    ...(options.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
  };
  return async (client, abortSignal) => {
    const answer = await client.send(new PutObjectCommand(input), { abortSignal });
    if (answer.ETag === undefined) throw new FailedRequest(failureOfForeigner('the answer to a PUT has no ETag'));
  };
}
