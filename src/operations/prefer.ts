/** A preference of the `Prefer` header (RFC 7240). */
export interface Preference {
  /** Lower-case. */
  readonly name: string;
  readonly value: string;
}

/**
 * The preferences of a `Prefer` header, the first of each name, as RFC 7240 section 2 says. Parameters of a preference
 * are left out: none of those that Eider knows has any.
 */
export function preferences(header: string | readonly string[] | undefined): readonly Preference[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  const found = new Map<string, Preference>();
  for (const part of splitOutsideQuotes(text, ',')) {
    const [preference = ''] = splitOutsideQuotes(part, ';');
    const match = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(.*?)\s*)?$/.exec(preference);
    const name = match?.[1]?.toLowerCase();
    if (name !== undefined && !found.has(name)) found.set(name, { name, value: unquote(match?.[2] ?? '') });
  }
  return [...found.values()];
}

/** Whether a preference is stated, without a value or with an empty one, which mean the same. */
export function prefers(header: string | readonly string[] | undefined, name: string): boolean {
  return preferences(header).some((preference) => preference.name === name && preference.value === '');
}

function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quoted && char === '\\') part += char + text.charAt(++at);
    else if (char === separator && !quoted) {
      parts.push(part);
      part = '';
    } else {
      if (char === '"') quoted = !quoted;
      part += char;
    }
  }
  return [...parts, part];
}

function unquote(value: string): string {
  return value.startsWith('"') && value.endsWith('"') && value.length > 1
    ? value.slice(1, -1).replace(/\\(.)/g, '$1')
    : value;
}
