/**
 * Runs tasks side by side, at most `width` at once, and gives their results in the order of the tasks. A `width` that is a
 * function is asked before each task.
 *
 * A slow consumer holds the tasks back, so memory stays bounded by `width` results. When a task fails or the consumer
 * leaves, no further task is started and those under way are awaited.
 */
export async function* inOrder<T, R>(
  tasks: Iterable<T> | AsyncIterable<T>,
  width: number | (() => number),
  run: (task: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const task of tasks) {
      while (underWay.length >= (typeof width === 'number' ? width : width())) yield await take(underWay);
      const result = run(task);
      // The failure is seen when its turn comes; until then it must not count as unhandled.
      result.catch(() => {});
      underWay.push(result);
    }
    while (underWay.length > 0) yield await take(underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
}

async function take<R>(queue: Promise<R>[]): Promise<R> {
  const first = queue[0];
  if (first === undefined) throw new RangeError('the queue is empty');
  try {
    return await first;
  } finally {
    void queue.shift();
  }
}
