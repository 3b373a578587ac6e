import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8's own collector, which a context has only when it is made under this flag. */
const collect = exposedCollector();

/**
 * Frees the buffers of blocks that are done with.
 *
 * Their memory is outside of V8's heap. The heap hardly grows, so that V8 sees no reason to collect, while a hundred
 * megabytes of such buffers pile up in each thread. A minor collection of a worker's small heap takes well below 1 ms.
 */
export function freeNativeGarbage(): void {
  collect({ type: 'minor' });
}

type Collector = (options: { readonly type: 'minor' }) => void;

/** The flag stays set: it is the process's, and taking it back would race with other threads that come here. */
function exposedCollector(): Collector {
  setFlagsFromString('--expose-gc');
  const collector: unknown = runInNewContext('globalThis.gc');
  return isCollector(collector) ? collector : () => {};
}

function isCollector(value: unknown): value is Collector {
  return typeof value === 'function';
}
