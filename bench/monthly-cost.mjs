/**
 * What a month at the default settings costs, from requests and bytes that were counted.
 *
 * Prices in US dollars: https://developers.cloudflare.com/r2/pricing/ (November 2026). Class A: PUT, POST, LIST; class B: GET, HEAD; DELETE is free.
 */
const PRICE = { a: 4.5e-6, b: 0.36e-6, gigabyte: 0.015 };
const FREE = { a: 1e6, b: 1e7, gigabytes: 10 };

const DAYS = 30;
/** A commit in every interval of three seconds, and a backup with a run of retention every half an hour. */
const SYNCS = (DAYS * 86_400) / 3;
const BACKUPS = DAYS * 48;
/** Backups that are kept at a time: all of 7 days, since commits of that time rest on them, then one for each day; five full ones among them. */
const KEPT = { full: 5, incremental: 7 * 48 + 23 };
const RECORDS_KEPT = (8 * 86_400) / 3;

/**
 * @param {{ a: number, b: number, bytes: number }} sync   of one record of the log
 * @param {{ a: number, b: number, bytes: number }} backup   of one incremental backup and the retention after it
 * @param {number} fullBytes   of a full backup
 */
export function monthlyCost(sync, backup, fullBytes) {
  const a = sync.a * SYNCS + backup.a * BACKUPS;
  const b = sync.b * SYNCS + backup.b * BACKUPS;
  const gigabytes = (fullBytes * KEPT.full + backup.bytes * KEPT.incremental + sync.bytes * RECORDS_KEPT) / 1e9;
  const over = (used, free) => Math.max(0, used - free);
  const dollars =
    over(a, FREE.a) * PRICE.a + over(b, FREE.b) * PRICE.b + over(gigabytes, FREE.gigabytes) * PRICE.gigabyte;
  const withoutFree = a * PRICE.a + b * PRICE.b + gigabytes * PRICE.gigabyte;
  return { a, b, gigabytes, dollars, withoutFree };
}
