import { digestHere, type PartDigest } from './part-digest.js';
import { FailedRequest } from './read-failure.js';
import { failureOfForeigner } from './s3-failure.js';
import type { Request } from './s3-requests.js';
import { BEFORE_SIGNING, bodyOf, signedWith } from './signed-body.js';
import { PutObjectCommand } from './sdk.js';

/** One PutObject, which the store refuses where it was damaged on the way. */
export function putRequest(
  bucket: string,
  key: string,
  body: Buffer,
  options: { readonly ifAbsent?: boolean; readonly digest?: PartDigest } = {},
): Request<void> {
  const digest = options.digest ?? digestHere(body);
  const input = {
    Bucket: bucket,
    Key: key,
    ContentLength: body.length,
    ContentMD5: digest.md5,
    ContentType: 'application/octet-stream',
    ...(options.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
  };
  return async (client, abortSignal) => {
    const command = new PutObjectCommand({ ...input, Body: bodyOf(body) });
    command.middlewareStack.add(signedWith(digest), BEFORE_SIGNING);
    const answer = await client.send(command, { abortSignal });
    if (answer.ETag === undefined) throw new FailedRequest(failureOfForeigner('the answer to a PUT has no ETag'));
  };
}
