import type { Inventory } from './retention-inventory.js';
import { basesIn } from './retention-needs.js';
import type { RetentionCandidate } from './retention-plan.js';
import { isWhole } from './whole-backup.js';

/**
 * What is known of each backup before it is decided whether it stays. Pure.
 *
 * @param graceStart - reservations from before rest on nothing any more
 */
export function candidatesOf(inventory: Inventory, graceStart: Date): RetentionCandidate[] {
  const { manifests, notes, markers, holds, objects, log } = inventory;
  const bases = basesIn(markers, graceStart);
  const held = new Set([...holds.values()].map(({ backup }) => backup));
  return manifests.map((manifest) => {
    const { name } = manifest;
    const { pinned, label } = notes.get(name) ?? manifest;
    return {
      manifest,
      pinned,
      label,
      verified: notes.get(name)?.verified ?? null,
      incomplete: !isWhole(manifest, objects),
      inUse: bases.has(name),
      held: held.has(name),
      isLogBase: log.bases.has(name),
    };
  });
}
