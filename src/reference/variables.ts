import { CONCERNS } from '../config/configuration.js';
import type { VariableDoc } from '../config/concern.js';

/** A concern with the variables that are documented under it. */
export interface VariableGroup {
  readonly name: string;
  readonly about: string;
  readonly variables: readonly (readonly [name: string, doc: VariableDoc])[];
}

/** Every variable once, under the first concern that reads it. */
export function variableGroups(): readonly VariableGroup[] {
  const seen = new Set<string>();
  return CONCERNS.map((concern) => ({
    name: concern.name,
    about: concern.about,
    variables: [...concern.variables()].filter(([name]) => !seen.has(name) && seen.add(name)),
  }));
}
