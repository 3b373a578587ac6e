import { Logger } from '../runtime/injection.js';
import { messageOf } from '../errors/eider-error.js';
import type { Manifest } from '../repository/manifest.js';
import type { Repository } from '../repository/repository.js';

/** Knows of a backup that was found not to be restorable: others may need the same packs, so a full one is due. */
export class Distrust {
  readonly #logger = new Logger('Backup');
  #backup: string | undefined;

  constructor(private readonly repository: Repository) {}

  /** The name of such a backup, where no full one was taken since. */
  get backup(): string | undefined {
    return this.#backup;
  }

  of(name: string): void {
    this.#backup = name;
  }

  /** Distrusts a backup that failed its last check, here or on another host. What cannot be read is left for later. */
  async lookAtVerdict(name: string): Promise<void> {
    try {
      if ((await this.repository.notes.of(name))?.verified?.ok === false) this.of(name);
    } catch (error) {
      this.#logger.warn(`what the last check of ${name} showed could not be read: ${messageOf(error)}`);
    }
  }

  /** A backup was taken; a full one needs nothing that was there before. */
  taken({ kind }: Manifest): void {
    if (kind === 'full') this.#backup = undefined;
  }
}
