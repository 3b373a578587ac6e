const XML = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** What a store of the benchmark knows: names and sizes of all objects, the bytes of small ones. Methods give an answer of HTTP. */
export class Objects {
  /** Objects up to this size are kept, bytes. */
  static MOST_KEPT = 1024 * 1024;

  #objects = new Map();
  #uploads = new Map();
  #written = 0;

  put(key, size, content, ifAbsent) {
    if (ifAbsent && this.#objects.has(key)) return failure(412, 'PreconditionFailed');
    return { status: 200, headers: { ETag: this.#store(key, size, content) } };
  }

  begin(key) {
    const id = String(++this.#written);
    this.#uploads.set(id, []);
    return xml('InitiateMultipartUploadResult', `<Key>${escape(key)}</Key><UploadId>${id}</UploadId>`);
  }

  part(id, number, size) {
    const sizes = this.#uploads.get(id);
    if (sizes === undefined) return failure(404, 'NoSuchUpload');
    sizes[number - 1] = size;
    return { status: 200, headers: { ETag: `"${id}-${number}"` } };
  }

  /** What was sent counts: the list of parts in the body is taken for the same. */
  complete(key, id) {
    const sizes = this.#uploads.get(id);
    if (sizes === undefined) return failure(404, 'NoSuchUpload');
    this.#uploads.delete(id);
    const size = sizes.reduce((sum, one) => sum + one, 0);
    const etag = this.#store(key, size, undefined);
    return xml('CompleteMultipartUploadResult', `<Key>${escape(key)}</Key><ETag>${escape(etag)}</ETag>`);
  }

  discard(id) {
    return this.#uploads.delete(id) ? { status: 204 } : failure(404, 'NoSuchUpload');
  }

  delete(key) {
    this.#objects.delete(key);
    return { status: 204 };
  }

  /** @param range   the header of that name */
  get(key, range, onlyHead) {
    const object = this.#objects.get(key);
    if (object === undefined) return failure(404, 'NoSuchKey');
    const { size, content, etag, modified } = object;
    const headers = { ETag: etag, 'Last-Modified': modified.toUTCString() };
    if (onlyHead) return { status: 200, headers: { ...headers, 'Content-Length': size } };
    // Nothing that is measured here reads them; whoever does is told, rather than given zeros.
    if (content === undefined) return failure(501, 'NotImplemented');
    if (range === undefined) return { status: 200, headers, content };
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    if (first === undefined || Number(first) >= size) return failure(416, 'InvalidRange');
    const end = Math.min(Number(last) + 1, size);
    return {
      status: 206,
      headers: { ...headers, 'Content-Range': `bytes ${first}-${end - 1}/${size}` },
      content: content.subarray(Number(first), end),
    };
  }

  /** In the order of S3; keys of Eider are ASCII. */
  sorted() {
    return [...this.#objects.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  #store(key, size, content) {
    const etag = `"${++this.#written}"`;
    this.#objects.set(key, { key, size, content, etag, modified: new Date() });
    return etag;
  }
}

/** ListObjectsV2; with a delimiter it leaves out what that would group, which Eider does not read. */
export function listing(objects, query) {
  if (!query.has('list-type')) return failure(501, 'NotImplemented');
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter');
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const most = Number(query.get('max-keys') ?? 1000);
  const found = objects
    .sorted()
    .filter(({ key }) => key.startsWith(prefix) && key > after)
    .filter(({ key }) => delimiter === null || !key.slice(prefix.length).includes(delimiter));
  const page = found.slice(0, most);
  const more = found.length > most;
  const entries = page.map(
    ({ key, size, etag, modified }) =>
      `<Contents><Key>${escape(key)}</Key><LastModified>${modified.toISOString()}</LastModified><ETag>${escape(etag)}</ETag><Size>${size}</Size></Contents>`,
  );
  const next = more ? `<NextContinuationToken>${escape(page.at(-1).key)}</NextContinuationToken>` : '';
  return xml('ListBucketResult', `<IsTruncated>${more}</IsTruncated>${next}${entries.join('')}`);
}

function xml(root, content, status = 200) {
  return {
    status,
    headers: { 'Content-Type': 'application/xml' },
    content: `${XML}<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`,
  };
}

function failure(status, code) {
  return {
    status,
    headers: { 'Content-Type': 'application/xml' },
    content: `${XML}<Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  };
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
