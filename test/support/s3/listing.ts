import type { OperationContext, S3Answer, S3Request } from './operations.js';
import { document, type Element } from './xml.js';

/** ListObjectsV2, with prefixes, delimiter, start and continuation as S3 has them. */
export function listObjects(request: S3Request, { state, bucket, pageSize }: OperationContext): S3Answer {
  const { query } = request;
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const size = Math.min(Number(query.get('max-keys') ?? pageSize), pageSize);
  const token = query.get('continuation-token');
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString();
  const contents: Element[] = [];
  const groups: string[] = [];
  let last = after;
  let truncated = false;
  for (const key of state.keys()) {
    if (!key.startsWith(prefix) || byBytes(key, after) <= 0) continue;
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const group = cut === -1 ? undefined : key.slice(0, cut + delimiter.length);
    if (group !== undefined && (groups.includes(group) || after.startsWith(group))) {
      last = key;
      continue;
    }
    if (contents.length + groups.length === size) {
      truncated = true;
      break;
    }
    last = key;
    if (group !== undefined) groups.push(group);
    else contents.push(['Contents', entry(state.need(key))]);
  }
  return {
    status: 200,
    body: document('ListBucketResult', [
      ['Name', bucket],
      ['Prefix', prefix],
      ['KeyCount', contents.length + groups.length],
      ['MaxKeys', size],
      ['IsTruncated', truncated],
      ...(truncated ? ([['NextContinuationToken', Buffer.from(last).toString('base64url')]] as const) : []),
      ...contents,
      ...groups.map((group) => ['CommonPrefixes', [['Prefix', group]]] as const),
    ]),
  };
}

function entry(object: ReturnType<OperationContext['state']['need']>): Element[] {
  return [
    ['Key', object.key],
    ['LastModified', object.modifiedAt],
    ['ETag', `"${object.blob.etag}"`],
    ['Size', object.blob.size],
    ['StorageClass', 'STANDARD'],
  ];
}

/** ListMultipartUploads, paged by key and id. */
export function listUploads(request: S3Request, { state, bucket, pageSize }: OperationContext): S3Answer {
  const { query } = request;
  const prefix = query.get('prefix') ?? '';
  const marker = position(query.get('key-marker') ?? '', query.get('upload-id-marker') ?? '');
  const all = [...state.uploads.values()]
    .filter(({ key, id }) => key.startsWith(prefix) && (marker === '\0' || byBytes(position(key, id), marker) > 0))
    .sort((a, b) => byBytes(position(a.key, a.id), position(b.key, b.id)));
  const page = all.slice(0, pageSize);
  const last = page.at(-1);
  const truncated = all.length > page.length && last !== undefined;
  return {
    status: 200,
    body: document('ListMultipartUploadsResult', [
      ['Bucket', bucket],
      ['IsTruncated', truncated],
      ...(truncated
        ? ([
            ['NextKeyMarker', last.key],
            ['NextUploadIdMarker', last.id],
          ] as const)
        : []),
      ...page.map(
        ({ key, id, initiatedAt }) =>
          [
            'Upload',
            [
              ['Key', key],
              ['UploadId', id],
              ['Initiated', initiatedAt],
            ],
          ] as const,
      ),
    ]),
  };
}

const position = (key: string, id: string): string => `${key}\0${id}`;

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
