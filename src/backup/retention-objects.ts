import { compareKeys } from '../object-store/object-key.js';
import type { ObjectInfo } from '../object-store/object-store.js';
import {
  classifyKey,
  HOLDS_PREFIX,
  LOG_PREFIX,
  manifestKey,
  nameBelow,
  NOTES_PREFIX,
  ownerOf,
  PENDING_PREFIX,
  recordNumberOf,
  REPOSITORY_KEY,
} from '../repository/keys.js';
import { type Inventory, isLive } from './retention-inventory.js';
import { type Need, type Needs, needsOf } from './retention-needs.js';
import type { RetentionDecision, RetentionReason } from './retention-plan.js';

/** Why an object stays or goes; docs/cli.md explains each. */
export type ObjectReason =
  | RetentionReason
  | Need['reason']
  | 'uncertain'
  | 'remains'
  | 'unneeded'
  | 'note'
  | 'marks'
  | 'hold'
  | 'left-over'
  | 'repository'
  | 'by-hand'
  | 'log'
  | 'trial'
  | 'unknown';

export interface ObjectDecision {
  readonly key: string;
  readonly action: 'keep' | 'delete';
  readonly reason: ObjectReason;
  /** The backup on whose account. */
  readonly for?: string;
}

const EXTENT = /^extents\/[0-9a-f]{64}\.jsonl\.zst(?:\.enc)?$/;

/**
 * Says of every object that was listed whether it stays, and why. Pure.
 *
 * What is not known to be Eider's, and to be of no use any more, stays.
 */
export function decideObjects(
  inventory: Inventory,
  decisions: readonly RetentionDecision[],
  graceStart: Date,
  now: Date,
): ObjectDecision[] {
  const judge = new Judge(inventory, decisions, graceStart, now);
  const listed = [...inventory.objects.values()].toSorted((a, b) => compareKeys(a.key, b.key));
  const found = listed.map((info) => judge.decide(info));
  const kept = new Set(
    found.flatMap(({ key, action }) => (action === 'keep' ? [ownerOf(key)] : [])).filter((name) => name !== undefined),
  );
  // The marker of a name stays as long as an object of that name does, which would pass for one put there by hand.
  return found.map((decision) => {
    const name = nameBelow(PENDING_PREFIX, decision.key);
    if (decision.action === 'keep' || name === undefined || decision.reason === 'left-over') return decision;
    return kept.has(name) ? { key: decision.key, action: 'keep', reason: 'marks', for: name } : decision;
  });
}

class Judge {
  readonly #needs: Needs;
  readonly #decisions: ReadonlyMap<string, RetentionDecision>;

  constructor(
    private readonly inventory: Inventory,
    decisions: readonly RetentionDecision[],
    private readonly graceStart: Date,
    private readonly now: Date,
  ) {
    this.#needs = needsOf(inventory, decisions, graceStart);
    this.#decisions = new Map(decisions.map((decision) => [decision.name, decision]));
  }

  decide(info: ObjectInfo): ObjectDecision {
    const { key } = info;
    const keep = (reason: ObjectReason, name?: string): ObjectDecision => decision(key, 'keep', reason, name);
    if (key === REPOSITORY_KEY) return keep('repository');
    const need = this.#needs.objects.get(key);
    if (need !== undefined) return keep(need.reason, need.for);
    if (EXTENT.test(key)) return this.#extent(info);
    const [marked, noted, held] = [PENDING_PREFIX, NOTES_PREFIX, HOLDS_PREFIX].map((prefix) => nameBelow(prefix, key));
    if (marked !== undefined) return this.#marker(info, marked);
    if (noted !== undefined) return this.#note(info, noted);
    if (held !== undefined) return this.#hold(info);
    if (key.startsWith(LOG_PREFIX)) return this.#record(key);
    if (key.startsWith('doctor/')) return keep('trial');
    if (key.includes('/')) return keep('unknown');
    return this.#atTheTop(key);
  }

  #atTheTop(key: string): ObjectDecision {
    const kind = classifyKey(key);
    if (kind.kind === 'manifest') {
      const backup = this.#decisions.get(kind.name);
      if (backup === undefined) return decision(key, 'keep', 'under-way', kind.name);
      return decision(key, backup.keep ? 'keep' : 'delete', backup.reason, kind.name);
    }
    const name = ownerOf(key);
    if (name !== undefined) {
      const counts = this.#needs.names.get(name);
      if (counts !== undefined) return decision(key, 'keep', counts.reason, name);
      // Of a backup that is there, or was, but not needed by it: its time comes with that of the backup.
      if (this.#decisions.get(name)?.keep === false) return decision(key, 'keep', 'grace', name);
      if (!this.#decisions.has(name) && this.inventory.markers.has(name))
        return this.#unlessUncertain(key, 'remains', name);
    }
    return decision(key, 'keep', kind.kind === 'image' && !this.#decisions.has(kind.name) ? 'by-hand' : 'unknown');
  }

  #extent(info: ObjectInfo): ObjectDecision {
    if (this.#isYoung(info)) return decision(info.key, 'keep', 'young');
    return this.#unlessUncertain(info.key, 'unneeded');
  }

  #marker(info: ObjectInfo, name: string): ObjectDecision {
    const backup = this.#decisions.get(name);
    if (backup?.keep === false) return decision(info.key, 'keep', 'grace', name);
    if (backup !== undefined) {
      // The writer could not remove it, or a removal was cut off: the backup is there all the same.
      return this.#isYoung(info)
        ? decision(info.key, 'keep', 'young', name)
        : decision(info.key, 'delete', 'left-over', name);
    }
    const counts = this.#needs.names.get(name);
    if (counts !== undefined) return decision(info.key, 'keep', counts.reason, name);
    return this.#unlessUncertain(info.key, 'remains', name);
  }

  #note(info: ObjectInfo, name: string): ObjectDecision {
    const backup = this.#decisions.get(name);
    if (backup !== undefined) return decision(info.key, backup.keep ? 'keep' : 'delete', 'note', name);
    return decision(info.key, this.#isYoung(info) ? 'keep' : 'delete', 'left-over', name);
  }

  #hold(info: ObjectInfo): ObjectDecision {
    const live = isLive(info, this.now);
    return decision(
      info.key,
      live ? 'keep' : 'delete',
      live ? 'hold' : 'expired',
      this.inventory.holds.get(info.key)?.backup,
    );
  }

  /** Records are read by number, so those that go are the oldest. */
  #record(key: string): ObjectDecision {
    const number = recordNumberOf(key);
    if (number === undefined) return decision(key, 'keep', 'unknown');
    return decision(key, number < this.inventory.log.horizon ? 'delete' : 'keep', 'log');
  }

  #unlessUncertain(key: string, reason: ObjectReason, name?: string): ObjectDecision {
    const { unknown } = this.#needs;
    return unknown === undefined ? decision(key, 'delete', reason, name) : decision(key, 'keep', 'uncertain', unknown);
  }

  #isYoung({ modifiedAt }: ObjectInfo): boolean {
    return modifiedAt >= this.graceStart;
  }
}

function decision(key: string, action: 'keep' | 'delete', reason: ObjectReason, name?: string): ObjectDecision {
  return { key, action, reason, ...(name === undefined ? {} : { for: name }) };
}

/** Whether an object goes with its backup at once: its manifest and its note. */
export function endsWithBackup({ key, reason }: ObjectDecision): boolean {
  return reason === 'note' || (!key.includes('/') && classifyKey(key).kind === 'manifest');
}

/** Packs that backups need, of names that nothing marks as such: they would be listed as files put there by hand. */
export function unmarkedNames({ markers }: Inventory, objects: readonly ObjectDecision[]): string[] {
  const keys = new Set(objects.map(({ key }) => key));
  const names = objects.flatMap(({ key, reason }) => {
    const name = ['needed', 'grace', 'in-use', 'held'].includes(reason) ? ownerOf(key) : undefined;
    return name === undefined || markers.has(name) || keys.has(manifestKey(name)) ? [] : [name];
  });
  return [...new Set(names)];
}
