/** Which requests a fault is for; all of them where nothing is named. */
export interface Match {
  readonly method?: string;
  /** Name of the S3 operation: `PutObject`, `UploadPart`, … */
  readonly operation?: string;
  /** The key, or a pattern (a string in /slashes/ over the control channel). */
  readonly key?: string | RegExp;
}

/** What a fault does. */
export type Action =
  /** Answers with an error and does nothing. */
  | { readonly kind: 'status'; readonly status: number; readonly code?: string; readonly retryAfter?: number }
  /** Does what was asked, then answers with an error. */
  | { readonly kind: 'status-after'; readonly status: number; readonly code?: string }
  /** Does what was asked, then breaks the connection. */
  | { readonly kind: 'lose-answer' }
  /** Breaks the connection and does nothing. */
  | { readonly kind: 'reset' }
  /** Answers with a web page. */
  | { readonly kind: 'web-page'; readonly status: number }
  /** Breaks the connection after so many bytes of the body of a GET. */
  | { readonly kind: 'cut-body'; readonly after: number }
  /** Turns over the lowest bit of the byte at this place of the body of a GET. */
  | { readonly kind: 'flip-bit'; readonly at: number }
  /** Waits before doing anything, or before answering, until the gate is opened. */
  | { readonly kind: 'hold'; readonly gate: Gate; readonly when: 'before' | 'answer' };

/** A pause that the test ends; it also learns when a request has come to it. */
export class Gate {
  readonly reached: Promise<void>;
  readonly opened: Promise<void>;
  open!: () => void;
  arrive!: () => void;

  constructor() {
    this.reached = new Promise((resolve) => (this.arrive = resolve));
    this.opened = new Promise((resolve) => (this.open = resolve));
  }
}

interface Rule {
  readonly match: Match;
  readonly action: Action;
  /** Matching requests to let pass first. */
  skip: number;
  /** Matching requests to hit after that. */
  left: number;
}

/** The faults to come. The first rule that is due for a request decides. */
export class Faults {
  #rules: Rule[] = [];

  /** @param nth - the first matching request hit, counted from 1; @param times - how many in a row */
  add(action: Action, match: Match = {}, { nth = 1, times = 1 } = {}): void {
    this.#rules.push({ match, action, skip: nth - 1, left: times });
  }

  /** The n-th matching request from now on fails with a status, once. */
  failNth(nth: number, status: number, match: Match = {}, code?: string): void {
    this.add({ kind: 'status', status, ...(code === undefined ? {} : { code }) }, match, { nth });
  }

  /** Every matching request fails with a status, until `clear`. */
  failAlways(status: number, match: Match = {}, code?: string): void {
    this.add({ kind: 'status', status, ...(code === undefined ? {} : { code }) }, match, { times: Infinity });
  }

  /** The next matching request takes effect and its answer is lost. */
  loseAnswer(match: Match = {}, times = 1): void {
    this.add({ kind: 'lose-answer' }, match, { times });
  }

  /** The next matching requests find the connection broken. */
  reset(match: Match = {}, times = 1): void {
    this.add({ kind: 'reset' }, match, { times });
  }

  /** The body of the next matching GET is cut. */
  cutBody(after: number, match: Match = {}, times = 1): void {
    this.add({ kind: 'cut-body', after }, { method: 'GET', ...match }, { times });
  }

  /** One bit of the body of the next matching GET is wrong. */
  flipBit(at: number, match: Match = {}, times = 1): void {
    this.add({ kind: 'flip-bit', at }, { method: 'GET', ...match }, { times });
  }

  /** The next matching request waits at the gate that is returned: before it takes effect, or before it is answered. */
  hold(match: Match = {}, when: 'before' | 'answer' = 'before', times = 1): Gate {
    const gate = new Gate();
    this.add({ kind: 'hold', gate, when }, match, { times });
    return gate;
  }

  /** Forgets all faults and opens all gates. */
  clear(): void {
    for (const { action } of this.#rules) if (action.kind === 'hold') action.gate.open();
    this.#rules = [];
  }

  /** The fault for a request, counted as used. */
  take(method: string, operation: string, key: string): Action | undefined {
    let found: Action | undefined;
    for (const rule of this.#rules) {
      if (!matches(rule.match, method, operation, key)) continue;
      if (rule.skip > 0) rule.skip -= 1;
      else if (rule.left > 0 && found === undefined) {
        rule.left -= 1;
        found = rule.action;
      }
    }
    this.#rules = this.#rules.filter(({ left, action }) => left > 0 || action.kind === 'hold');
    return found;
  }
}

function matches(match: Match, method: string, operation: string, key: string): boolean {
  if (match.method !== undefined && match.method !== method) return false;
  if (match.operation !== undefined && match.operation !== operation) return false;
  if (match.key === undefined) return true;
  return typeof match.key === 'string' ? match.key === key : match.key.test(key);
}
