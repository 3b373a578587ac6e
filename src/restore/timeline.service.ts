import { Injectable } from '../runtime/injection.js';
import { inOrder } from '../block-pool/in-order.js';
import { isEiderError } from '../errors/eider-error.js';
import type { LogHead } from '../repository/log-record.js';
import { mainHistory } from '../repository/main-history.js';
import type { Manifest } from '../repository/manifest.js';
import { Repository } from '../repository/repository.js';
import { type IterationFacts, layOutTimeline, type Timeline } from './timeline.js';

/** Iterations whose records are read at once. */
const AT_ONCE = 16;
/** Records behind the last commit of an iteration: `backup`, `close` and `open`. */
const LOOK_BACK = 8;

/** Backups of one iteration, the oldest first. */
type Iteration = readonly [Manifest, ...Manifest[]];

/** Tells what can be restored, from the manifests and two records for each iteration. */
@Injectable()
export class TimelineService {
  /** Records never change. */
  readonly #heads = new Map<number, LogHead | undefined>();

  constructor(private readonly repository: Repository) {}

  /** Throws STORE_*. */
  async read(): Promise<Timeline> {
    const manifests = (await mainHistory(this.repository)).toReversed();
    const iterations = iterationsOf(manifests);
    const last = await this.repository.log.last(manifests.at(-1)?.log ?? 0);
    const facts: IterationFacts[] = [];
    const tasks = iterations.map((iteration, index) => ({ iteration, end: iterations[index + 1]?.[0].log ?? last }));
    for await (const found of inOrder(tasks, AT_ONCE, ({ iteration, end }) => this.#facts(iteration, end))) {
      facts.push(found);
    }
    return layOutTimeline(facts);
  }

  async #facts(iteration: Iteration, end: number): Promise<IterationFacts> {
    const [base] = iteration;
    const told = await this.#head(base.log + 1);
    return {
      base,
      backups: iteration.map(({ name }) => name),
      lastCommitAt: await this.#lastCommitAt(base, end),
      gap: told?.kind === 'backup' && told.backup === base.name ? told.gap : null,
    };
  }

  /** The last commit that rests on a base, looked for from the end of its iteration. */
  async #lastCommitAt({ position, log }: Manifest, end: number): Promise<number | null> {
    for (let number = end; number > Math.max(log, end - LOOK_BACK); number--) {
      const head = await this.#head(number);
      if (head?.kind !== 'wal') continue;
      if (head.lineage !== position.lineage || head.iteration !== position.iteration) return null;
      return head.marks.at(-1)?.[1] ?? null;
    }
    return null;
  }

  /** Undefined where a record is not there, or not yet, or is damaged: a restore names it. */
  async #head(number: number): Promise<LogHead | undefined> {
    const known = this.#heads.get(number);
    if (known !== undefined) return known;
    try {
      const head = (await this.repository.log.read(number))?.head;
      if (head !== undefined) this.#heads.set(number, head);
      return head;
    } catch (error) {
      if (!isEiderError(error, 'LOG_RECORD_CORRUPT')) throw error;
      return undefined;
    }
  }
}

/** Neighbours of one lineage and iteration, together. */
function iterationsOf(manifests: readonly Manifest[]): Iteration[] {
  const iterations: [Manifest, ...Manifest[]][] = [];
  for (const manifest of manifests) {
    const current = iterations.at(-1);
    const { lineage, iteration } = current?.[0].position ?? {};
    if (current !== undefined && lineage === manifest.position.lineage && iteration === manifest.position.iteration) {
      current.push(manifest);
    } else iterations.push([manifest]);
  }
  return iterations;
}
