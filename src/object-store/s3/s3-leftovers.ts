import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import type { S3Requests } from './s3-requests.js';
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from './sdk.js';

interface Marker {
  readonly KeyMarker: string;
  readonly UploadIdMarker: string;
}

/** Discards multipart uploads below the prefix that were begun before `before`; returns how many. */
export async function abortUploadsBefore(requests: S3Requests, before: Date, signal?: AbortSignal): Promise<number> {
  let discarded = 0;
  let marker: Marker | undefined;
  do {
    const page = await listUploads(requests, marker, signal);
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || Initiated === undefined || Initiated > before) continue;
      if (await abortUpload(requests, Key, UploadId, signal)) discarded += 1;
    }
    marker = page.IsTruncated === true ? markerOf(page) : undefined;
  } while (marker !== undefined);
  return discarded;
}

async function listUploads(requests: S3Requests, marker: Marker | undefined, signal?: AbortSignal) {
  const input = { Bucket: requests.config.bucket, Prefix: requests.config.prefix, ...marker };
  return await requests.send(
    'Listing unfinished uploads',
    (client, abortSignal) => client.send(new ListMultipartUploadsCommand(input), { abortSignal }),
    signal,
  );
}

function markerOf(page: ListMultipartUploadsCommandOutput): Marker | undefined {
  const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
  return KeyMarker === undefined || UploadIdMarker === undefined ? undefined : { KeyMarker, UploadIdMarker };
}

/** False where it was gone already. */
async function abortUpload(
  requests: S3Requests,
  Key: string,
  UploadId: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const input = { Bucket: requests.config.bucket, Key, UploadId };
  const outcome = await requests.once(
    `Discarding the upload of ${Key}`,
    (client, abortSignal) => client.send(new AbortMultipartUploadCommand(input), { abortSignal }),
    signal,
  );
  if ('value' in outcome) return true;
  if (outcome.failure.status === 404) return false;
  // Left for the next run where it was a passing failure; a refusal is news for the operator.
  if (outcome.failure.retryable) return false;
  throw requests.error(`Discarding the upload of ${Key}`, outcome.failure);
}
