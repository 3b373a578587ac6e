import type { BucketState } from './bucket-state.js';
import { S3Error } from './s3-error.js';
import { listObjects, listUploads } from './listing.js';
import { document, elements } from './xml.js';

/** A request, read and taken apart. */
export interface S3Request {
  readonly method: string;
  /** Empty for a request to the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Iterable<Buffer>;
}

export interface OperationContext {
  readonly state: BucketState;
  readonly bucket: string;
  readonly pageSize: number;
  readonly denyDeletes: boolean;
}

type Operation = (request: S3Request, context: OperationContext) => S3Answer;

/** Name of the operation that a request asks for; undefined for one that R2 does not have either. */
export function operationOf(method: string, key: string, query: URLSearchParams): string | undefined {
  if (key === '') return bucketOperation(method, query);
  if (query.has('uploads')) return method === 'POST' ? 'CreateMultipartUpload' : undefined;
  if (query.has('uploadId')) {
    return { PUT: 'UploadPart', POST: 'CompleteMultipartUpload', DELETE: 'AbortMultipartUpload' }[method];
  }
  return { PUT: 'PutObject', GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' }[method];
}

function bucketOperation(method: string, query: URLSearchParams): string | undefined {
  if (method === 'HEAD') return 'HeadBucket';
  if (method !== 'GET') return undefined;
  if (query.has('uploads')) return 'ListMultipartUploads';
  return query.get('list-type') === '2' ? 'ListObjectsV2' : undefined;
}

const header = (request: S3Request, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

const getObject: Operation = (request, { state }) => {
  const { blob, modifiedAt } = state.need(request.key);
  const headers = { etag: `"${blob.etag}"`, 'last-modified': modifiedAt.toUTCString(), 'accept-ranges': 'bytes' };
  const range = header(request, 'range');
  if (range === undefined) {
    return { status: 200, headers: { ...headers, 'content-length': String(blob.size) }, body: blob.read() };
  }
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  const start = Number(first);
  const end = Math.min(last === '' ? blob.size : Number(last) + 1, blob.size);
  if (first === '' || start >= end) throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable.');
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(end - start),
      'content-range': `bytes ${start}-${end - 1}/${blob.size}`,
    },
    body: blob.read(start, end),
  };
};

const putObject: Operation = (request, { state }) => {
  const { blob } = state.put(request.key, request.body, header(request, 'if-none-match'));
  return { status: 200, headers: { etag: `"${blob.etag}"` } };
};

const createUpload: Operation = (request, { state, bucket }) => ({
  status: 200,
  body: document('InitiateMultipartUploadResult', [
    ['Bucket', bucket],
    ['Key', request.key],
    ['UploadId', state.begin(request.key).id],
  ]),
});

const uploadPart: Operation = (request, { state }) => {
  const number = Number(request.query.get('partNumber'));
  const blob = state.putPart(request.key, request.query.get('uploadId') ?? '', number, request.body);
  return { status: 200, headers: { etag: `"${blob.etag}"` } };
};

const completeUpload: Operation = (request, { state, bucket }) => {
  const xml = request.body.toString();
  const etags = elements(xml, 'ETag');
  const parts = elements(xml, 'PartNumber').map((number, at) => ({ number: Number(number), etag: etags[at] ?? '' }));
  const id = request.query.get('uploadId') ?? '';
  const { blob } = state.complete(request.key, id, parts, header(request, 'if-none-match'));
  return {
    status: 200,
    body: document('CompleteMultipartUploadResult', [
      ['Bucket', bucket],
      ['Key', request.key],
      ['ETag', `"${blob.etag}"`],
    ]),
  };
};

/** Every operation that the double knows, by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  HeadBucket: () => ({ status: 200 }),
  ListObjectsV2: listObjects,
  ListMultipartUploads: listUploads,
  GetObject: getObject,
  HeadObject: (request, context) => {
    const { status, headers = {} } = getObject(request, context);
    return { status, headers };
  },
  PutObject: putObject,
  DeleteObject: (request, { state, denyDeletes }) => {
    if (denyDeletes) throw new S3Error(403, 'AccessDenied', 'Access Denied');
    state.delete(request.key);
    return { status: 204 };
  },
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: (request, { state }) => {
    state.abort(request.key, request.query.get('uploadId') ?? '');
    return { status: 204 };
  },
};
