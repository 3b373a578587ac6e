/**
 * For JSON.stringify: DuckDB's BIGINT arrives as bigint, which JSON cannot hold. A number where it is exact, else the
 * digits as text, never a rounded number.
 */
export function jsonReplacer(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
