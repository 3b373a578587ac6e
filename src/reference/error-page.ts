import { ERRORS } from '../errors/catalogue.js';
import type { ErrorEntry } from '../errors/error-entry.js';
import { GENERATED, plainText, table } from './markdown.js';

const INTRODUCTION = `# Errors

${GENERATED}

Every error of Eider has a code of this list. Codes are stable: programs may match on them. Over HTTP an error is a problem
document (RFC 9457, \`application/problem+json\`) whose \`code\`, \`status\`, \`title\` and \`advice\` are those below and whose
\`detail\` says what happened in the case at hand; where trying again makes sense the answer has \`Retry-After\`. The
console and the log show the code with the message. The address of an error on this page is its code in lower case:
\`docs/errors.md#database_locked\`.`;

/** The text of `docs/errors.md`. */
export function errorPage(): string {
  const entries = Object.entries<ErrorEntry>(ERRORS);
  const index = table(
    ['code', 'status', 'meaning'],
    entries.map(([code, { status, title }]) => [`[${code}](#${code.toLowerCase()})`, String(status), plainText(title)]),
  );
  const sections = entries.map(([code, { status, title, advice }]) =>
    [`## ${code}`, `${plainText(title)}. HTTP status ${status}.`, adviceOf(advice)].join('\n\n'),
  );
  return `${[INTRODUCTION, index, ...sections].join('\n\n')}\n`;
}

/** Advice is written with code in backquotes, which stays as it is. */
function adviceOf(advice: string): string {
  return advice
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : plainText(part)))
    .join('');
}
