/**
 * `up`: as it should be. `degraded`: it works, and somebody should look. `down`: it does not do its work. docs/health.md
 * tells which finding is which.
 */
export type HealthState = 'up' | 'degraded' | 'down';

/** One thing that is not as it should be, for the operator. */
export interface Finding {
  readonly state: Exclude<HealthState, 'up'>;
  /** One sentence: what is wrong and what is safe. */
  readonly what: string;
}

/** What was found out about one part of the service. */
export interface HealthReport {
  readonly findings: readonly Finding[];
  /** Shown to viewers only. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The worst of the findings decides. */
export function stateOf({ findings }: Pick<HealthReport, 'findings'>): HealthState {
  if (findings.some(({ state }) => state === 'down')) return 'down';
  return findings.length > 0 ? 'degraded' : 'up';
}
