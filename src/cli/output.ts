import { isEiderError, messageOf } from '../errors/eider-error.js';

/** Where a command writes: text for people, or one JSON document for programs. */
export class Output {
  constructor(readonly json: boolean) {}

  /** Writes the result in the form that was asked for. */
  result(value: unknown, text: () => string): void {
    process.stdout.write(this.json ? `${JSON.stringify(value, null, 2)}\n` : `${text()}\n`);
  }

  /** Writes a failure to the standard error: what happened, what is safe, what to do. */
  failure(error: unknown): void {
    if (this.json) {
      const document = isEiderError(error)
        ? { code: error.code, message: error.message, advice: error.advice, details: error.details }
        : { code: 'INTERNAL', message: messageOf(error) };
      process.stderr.write(`${JSON.stringify({ error: document }, null, 2)}\n`);
    } else if (isEiderError(error)) {
      process.stderr.write(`${error.code}: ${error.message}\n${error.advice}\n`);
    } else {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    }
  }
}
