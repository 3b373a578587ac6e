import { Injectable, Logger } from '../runtime/injection.js';
import { messageOf } from '../errors/eider-error.js';
import type { Manifest } from '../repository/manifest.js';
import { type Verdict, verdictAfter } from '../repository/note.js';
import { Repository } from '../repository/repository.js';
import { Clock } from '../runtime/clock.js';

/** Keeps in the repository what checks of backups have shown, for the listing, other hosts, and after a lost disk. */
@Injectable()
export class Verdicts {
  readonly #logger = new Logger('Verify');

  constructor(
    private readonly repository: Repository,
    private readonly clock: Clock,
  ) {}

  /** Writes down the result of a check. Where that cannot be, as with credentials that only read, it is logged alone. */
  async record(manifest: Manifest, check: Pick<Verdict, 'mode' | 'ok' | 'why'>): Promise<void> {
    const verdict: Verdict = { at: this.clock.now().toISOString(), ...check };
    try {
      await this.repository.claim();
      // One that was removed meanwhile is in nobody's list any more.
      if (!(await this.repository.manifests.exists(manifest.name))) return;
      await this.repository.notes.change(manifest, (note) => ({
        ...note,
        verified: verdictAfter(note.verified, verdict),
      }));
    } catch (error) {
      this.#logger.warn(`what the check of ${manifest.name} showed could not be written down: ${messageOf(error)}`);
    }
  }
}
