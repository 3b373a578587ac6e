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
const BACKUPS_PER_DAY = 48;
/** Commits between two backups. */
export const COMMITS_PER_BACKUP = 86_400 / 3 / BACKUPS_PER_DAY;
/** All backups of so many days are there: the 7 of single commits, one for restores under way, one until what was removed goes. */
const DAYS_WHOLE = 9;
/** Days before these, up to 30 and the one until it goes, of which one backup each is there. */
const DAYS_THINNED = DAYS + 1 - DAYS_WHOLE;
/** A full backup comes after 7 days at the latest. */
const LONGEST_CYCLE = 7 * BACKUPS_PER_DAY;
const RECORDS_KEPT = (DAYS_WHOLE * 86_400) / 3;
/** Objects of a page of a listing. */
const PAGE = 1000;
/** Health, where it is asked for all the time, tries a write every five minutes. */
const PROBES = DAYS * 288;
/** Each day the newest backup is restored on trial, in reads of up to this many bytes. */
const READ = 8 * 1024 * 1024;

/**
 * What is stored is counted too high rather than too low: of a day of which one backup is left, the packs that the last one before the next full
 * backup needs count.
 *
 * @typedef {{ a: number, b: number, bytes: number, objects: number }} Counted   requests, and what was added to the store
 * @param {Counted} sync   of one record of the log
 * @param {Counted} backup   of one incremental backup and the retention after it
 * @param {Counted} full   of a full backup
 * @param {readonly number[]} needed   bytes of the packs, the full one apart, that the backups after it need, one after the other
 */
export function monthlyCost(sync, backup, full, needed) {
  const neededAfter = growth(needed);
  // Sooner than after a week, where the packs hold twice of what is used.
  let cycle = 1;
  while (cycle < LONGEST_CYCLE && neededAfter(cycle) < full.bytes) cycle++;
  const cyclesPerDay = BACKUPS_PER_DAY / cycle;
  const fullsKept = DAYS_WHOLE * cyclesPerDay + DAYS_THINNED * Math.min(1, cyclesPerDay);
  const backups = DAYS * BACKUPS_PER_DAY;
  const fulls = backups / cycle;
  const wholeDays = (kind) => fullsKept * full[kind] + DAYS_WHOLE * (BACKUPS_PER_DAY - cyclesPerDay) * backup[kind];
  const bytesKept = wholeDays('bytes') + DAYS_THINNED * neededAfter(cycle);
  // Retention lists what is kept, records of the log left out; a few pages were counted with the backup.
  const morePages = Math.floor(wholeDays('objects') / PAGE) * backups;
  const requests = (kind) => sync[kind] * SYNCS + backup[kind] * (backups - fulls) + full[kind] * fulls;
  const a = requests('a') + morePages + PROBES;
  const b = requests('b') + DAYS * Math.ceil(full.bytes / READ);
  const gigabytes = (bytesKept + sync.bytes * RECORDS_KEPT) / 1e9;
  const over = (used, free) => Math.max(0, used - free);
  const dollars =
    over(a, FREE.a) * PRICE.a + over(b, FREE.b) * PRICE.b + over(gigabytes, FREE.gigabytes) * PRICE.gigabyte;
  const withoutFree = a * PRICE.a + b * PRICE.b + gigabytes * PRICE.gigabyte;
  return { a, b, gigabytes, cycle, dollars, withoutFree };
}

/** What the n-th backup after a full one needs: as measured, and from there on growing as in the second half of that. */
function growth(needed) {
  const half = Math.floor(needed.length / 2);
  const last = needed.at(-1);
  const each = Math.max(0, (last - needed[half - 1]) / (needed.length - half));
  return (n) => (n <= needed.length ? needed[n - 1] : last + (n - needed.length) * each);
}
