/** Lets work on the same event run one after the other, in the order in which it came; other events do not wait. */
export class EventTurns {
  readonly #last = new Map<number, Promise<void>>();

  /** Runs the work when all work before it on the same event has ended, well or not. */
  async take<T>(eventId: number, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(eventId) ?? Promise.resolve()).then(work);
    const ended = result.then(
      () => {},
      () => {},
    );
    this.#last.set(eventId, ended);
    try {
      return await result;
    } finally {
      // Ids come from requests: what nobody waits for any more is forgotten.
      if (this.#last.get(eventId) === ended) this.#last.delete(eventId);
    }
  }
}
