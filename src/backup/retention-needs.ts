import { objectsOf } from '../repository/manifest.js';
import type { Inventory, Marker } from './retention-inventory.js';
import type { RetentionDecision } from './retention-plan.js';

/** Why something stays, and the backup that it stays for. */
export interface Need {
  readonly reason: 'needed' | 'grace' | 'in-use' | 'held' | 'under-way';
  readonly for: string;
}

/** What must stay, and why. */
export interface Needs {
  /** By key: what restoring a backup reads that is there, under way, being read, or removed a short while ago. */
  readonly objects: ReadonlyMap<string, Need>;
  /** By name: backups without a manifest whose own objects stay, whatever they are. */
  readonly names: ReadonlyMap<string, Need>;
  /** A backup that needs something, and nobody knows what: nothing may go while that is so. */
  readonly unknown: string | undefined;
}

/** Works out what must stay: reachability over all manifests and markers, never counted. Pure. */
export function needsOf(
  { manifests, markers, holds }: Inventory,
  decisions: readonly RetentionDecision[],
  graceStart: Date,
): Needs {
  const objects = new Map<string, Need>();
  const names = new Map<string, Need>();
  let unknown: string | undefined;
  const claim = (keys: readonly string[], need: Need): void => {
    for (const key of keys) if (!objects.has(key)) objects.set(key, need);
  };
  const going = new Set(decisions.filter(({ keep }) => !keep).map(({ name }) => name));
  for (const reason of ['needed', 'grace'] as const) {
    for (const manifest of manifests.filter(({ name }) => going.has(name) === (reason === 'grace')))
      claim(objectsOf(manifest), { reason, for: manifest.name });
  }
  const listed = new Set(manifests.map(({ name }) => name));
  const bases = basesIn(markers, graceStart);
  const held = new Set([...holds.values()].map(({ backup }) => backup));
  for (const [name, marker] of markers) {
    if (listed.has(name)) continue;
    const reason = reasonFor(name, marker, { bases, held, graceStart });
    if (reason === undefined) continue;
    names.set(name, { reason, for: name });
    if (marker.reservation?.retired !== true) continue;
    if (marker.reservation.objects === undefined) unknown ??= name;
    else claim(marker.reservation.objects, { reason, for: name });
  }
  return { objects, names, unknown };
}

/** Backups that others under way build on. */
export function basesIn(markers: Inventory['markers'], graceStart: Date): ReadonlySet<string> {
  const bases = new Set<string>();
  for (const { modifiedAt, reservation } of markers.values()) {
    if (modifiedAt < graceStart || reservation?.base === undefined) continue;
    bases.add(reservation.base);
  }
  return bases;
}

/** Why a name without a manifest still counts; undefined where its time is up. */
function reasonFor(
  name: string,
  { modifiedAt, reservation }: Marker,
  facts: { readonly bases: ReadonlySet<string>; readonly held: ReadonlySet<string>; readonly graceStart: Date },
): Need['reason'] | undefined {
  if (facts.bases.has(name)) return 'in-use';
  if (facts.held.has(name)) return 'held';
  if (modifiedAt < facts.graceStart) return undefined;
  return reservation?.retired === true ? 'grace' : 'under-way';
}
