import type { IncomingMessage } from 'node:http';

/** What a controller or guard adds to the audit line of a request. */
export interface AuditNote {
  /** Name of the key, as configured. */
  readonly key?: string;
  readonly role?: string;
  /** Id of the operation that the request started. */
  readonly operation?: string;
  /** Name of the backup that the request is about. */
  readonly backup?: string;
}

const notes = new WeakMap<IncomingMessage, AuditNote>();

/** Adds facts to the audit line that is written when the request ends. */
export function auditNote(request: IncomingMessage, note: AuditNote): void {
  notes.set(request, { ...notes.get(request), ...note });
}

/** What was noted so far. */
export function auditNoteOf(request: IncomingMessage): AuditNote {
  return notes.get(request) ?? {};
}
