const UNITS = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 };

/** `500MB` as bytes. */
export function parseSize(text) {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)$/i.exec(text) ?? [];
  if (unit === undefined) throw new Error(`${text} is not a size such as 500MB or 5GB`);
  return Number(number) * UNITS[unit.toUpperCase()];
}

/** The middle value; of an even number the lower of the two, which was really measured. */
export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}

/** The value that a share (0 to 1) of all values stay at or below. */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

/** `12.3` for 12.345. */
export function fixed(value, digits = 1) {
  return value === undefined ? '-' : value.toFixed(digits);
}

export const MIB = 1024 * 1024;
