import type { ServerResponse } from 'node:http';
import { type Action, Gate, type Match } from './faults.js';
import type { S3Double } from './s3-double.js';

/**
 * An order of another process: `POST /_control` with any of these fields; the answer is the double's state.
 * It is no part of S3 and is not signed.
 */
interface Order {
  /** Forgets all faults first. */
  readonly clear?: boolean;
  readonly faults?: readonly {
    /** `hold` takes a name in place of a gate. */
    readonly action:
      | Exclude<Action, { kind: 'hold' }>
      | { readonly kind: 'hold'; readonly when: 'before' | 'answer'; readonly name: string };
    readonly match?: { readonly method?: string; readonly operation?: string; readonly key?: string };
    readonly nth?: number;
    /** -1 for always. */
    readonly times?: number;
  }[];
  /** Opens the gates of these names. */
  readonly open?: readonly string[];
  readonly clockOffsetMs?: number;
  readonly denyDeletes?: boolean;
  readonly bucketExists?: boolean;
  readonly conditionalWrites?: 'yes' | 'not-implemented' | 'ignored';
}

const gates = new WeakMap<S3Double, Map<string, { gate: Gate; reached: boolean }>>();

/** Obeys an order and answers with counters and keys. */
export function control(double: S3Double, body: Buffer, response: ServerResponse): void {
  const order = body.length === 0 ? {} : (JSON.parse(body.toString()) as Order);
  obey(double, order);
  const named = gates.get(double) ?? new Map<string, { reached: boolean }>();
  const reached = [...named].flatMap(([name, { reached: yes }]) => (yes ? [name] : []));
  const requests = double.log.map((line) => ({ ...line, headers: undefined }));
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({ keys: double.state.keys(), uploads: double.state.uploads.size, requests, gatesReached: reached }),
  );
}

function obey(double: S3Double, order: Order): void {
  if (order.clear === true) double.faults.clear();
  for (const { action, match = {}, nth = 1, times = 1 } of order.faults ?? []) {
    double.faults.add(actionOf(double, action), matchOf(match), { nth, times: times < 0 ? Infinity : times });
  }
  for (const name of order.open ?? []) gates.get(double)?.get(name)?.gate.open();
  double.clockOffsetMs = order.clockOffsetMs ?? double.clockOffsetMs;
  double.denyDeletes = order.denyDeletes ?? double.denyDeletes;
  double.bucketExists = order.bucketExists ?? double.bucketExists;
  double.state.rules.conditionalWrites = order.conditionalWrites ?? double.state.rules.conditionalWrites;
}

type Ordered = NonNullable<Order['faults']>[number];

function actionOf(double: S3Double, action: Ordered['action']): Action {
  if (action.kind !== 'hold') return action;
  const named = gates.get(double) ?? new Map<string, { gate: Gate; reached: boolean }>();
  gates.set(double, named);
  const entry = { gate: new Gate(), reached: false };
  named.set(action.name, entry);
  void entry.gate.reached.then(() => (entry.reached = true));
  return { kind: 'hold', when: action.when, gate: entry.gate };
}

/** A key in /slashes/ is a pattern. */
function matchOf({ key, ...rest }: NonNullable<Ordered['match']>): Match {
  if (key === undefined) return rest;
  const pattern = /^\/(.*)\/$/s.exec(key)?.[1];
  return { ...rest, key: pattern === undefined ? key : new RegExp(pattern) };
}
