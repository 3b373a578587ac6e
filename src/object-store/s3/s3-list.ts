import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { compareKeys, isObjectKey } from '../object-key.js';
import type { ListOptions, ObjectInfo } from '../object-store.js';
import { FailedRequest } from './read-failure.js';
import { failureOfForeigner } from './s3-failure.js';
import type { Request, S3Requests } from './s3-requests.js';
import { ListObjectsV2Command } from './sdk.js';

/** One page of a listing. */
interface Page {
  readonly objects: readonly ObjectInfo[];
  /** Where the next page begins; undefined on the last one. */
  readonly token: string | undefined;
}

/**
 * Lists the bucket page by page. A listing decides what is restored and what is deleted, so one that could be incomplete
 * is an error: an answer without IsTruncated, a page that goes on without a token, a token or a key that comes again.
 */
export async function* listBucket(
  requests: S3Requests,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ObjectInfo> {
  const base = requests.config.prefix;
  let token: string | undefined;
  let last = '';
  do {
    const page: Page = await requests.send(
      `Listing ${prefix}`,
      pageRequest(requests.config.bucket, base, prefix, options, token, last),
      options.signal,
    );
    yield* page.objects;
    last = page.objects.at(-1)?.key ?? last;
    token = page.token;
  } while (token !== undefined);
}

function pageRequest(
  bucket: string,
  base: string,
  prefix: string,
  options: ListOptions,
  token: string | undefined,
  last: string,
): Request<Page> {
  const input = {
    Bucket: bucket,
    Prefix: base + prefix,
    MaxKeys: 1000,
    ...(options.after === undefined ? {} : { StartAfter: base + options.after }),
    ...(options.shallow === true ? { Delimiter: '/' } : {}),
    ...(token === undefined ? {} : { ContinuationToken: token }),
  };
  return async (client, abortSignal) => {
    const answer = await client.send(new ListObjectsV2Command(input), { abortSignal });
    return { objects: objectsOf(answer, base, last), token: nextToken(answer, token) };
  };
}

function nextToken(answer: ListObjectsV2CommandOutput, token: string | undefined): string | undefined {
  const { IsTruncated: more, NextContinuationToken: next } = answer;
  if (more === undefined) throw unsound('the answer to a listing lacks IsTruncated');
  if (!more) return undefined;
  if (next === undefined || next === '' || next === token) throw unsound('the listing goes on without a new token');
  return next;
}

/** Objects with keys that Eider could not read back (folder markers of consoles, say) are none of ours. */
function objectsOf(answer: ListObjectsV2CommandOutput, base: string, last: string): ObjectInfo[] {
  const objects: ObjectInfo[] = [];
  let previous = last;
  for (const { Key: full, Size: size, LastModified: modifiedAt, ETag: etag } of answer.Contents ?? []) {
    if (full === undefined || size === undefined || modifiedAt === undefined || !full.startsWith(base)) {
      throw unsound('the listing has an entry without key, size or date, or outside the prefix');
    }
    const key = full.slice(base.length);
    if (!isObjectKey(key)) continue;
    if (previous !== '' && compareKeys(key, previous) <= 0) throw unsound(`the listing is out of order at ${key}`);
    previous = key;
    objects.push({ key, size, modifiedAt, ...(etag === undefined ? {} : { etag }) });
  }
  return objects;
}

function unsound(reason: string): FailedRequest {
  return new FailedRequest(failureOfForeigner(reason));
}
