/**
 * An AbortController that also follows a caller's signal. `AbortSignal.any` would keep a listener on a signal that lives
 * as long as the process for every request made with it; this one is let go by `release`.
 */
export class LinkedAbort {
  readonly #controller = new AbortController();
  readonly #follow = (): void => this.#controller.abort(this.outer?.reason);

  constructor(private readonly outer?: AbortSignal) {
    if (outer?.aborted === true) this.#follow();
    else outer?.addEventListener('abort', this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  release(): void {
    this.outer?.removeEventListener('abort', this.#follow);
  }
}
