/** A backup's name: `<stem>-<YYYYMMDD>-<HHMMSS>`, in UTC, with `-2`, `-3`, … for further ones in the same second. */
export interface BackupName {
  readonly stem: string;
  /** To the second. */
  readonly time: Date;
  /** 1 for the first backup of its second. */
  readonly ordinal: number;
}

const PATTERN = /^(.+)-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)(?:-([2-9]|[1-9]\d+))?$/;

/** The parts of a name, or undefined when it is not one. */
export function parseBackupName(name: string): BackupName | undefined {
  const match = PATTERN.exec(name);
  if (match === null) return undefined;
  const [, stem = '', year, month, day, hour, minute, second, ordinal] = match;
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time.getTime()) || formatTime(time) !== `${year}${month}${day}-${hour}${minute}${second}`) {
    return undefined;
  }
  return { stem, time, ordinal: ordinal === undefined ? 1 : Number(ordinal) };
}

/** The name made of its parts. */
export function formatBackupName({ stem, time, ordinal }: BackupName): string {
  return `${stem}-${formatTime(time)}${ordinal === 1 ? '' : `-${ordinal}`}`;
}

/** Orders names by age, whatever their stems: oldest first. */
export function compareBackupNames(a: BackupName, b: BackupName): number {
  return (
    a.time.getTime() - b.time.getTime() || a.ordinal - b.ordinal || (a.stem < b.stem ? -1 : a.stem > b.stem ? 1 : 0)
  );
}

/**
 * The name of the next backup: after every existing one, even where this machine's clock is behind.
 *
 * Order by name is then the order in which backups were taken, which a start relies on to find the newest.
 *
 * @param newest - the newest name in the repository, of any stem
 */
export function nextBackupName(stem: string, now: Date, newest: BackupName | undefined): BackupName {
  const time = new Date(Math.floor(now.getTime() / 1000) * 1000);
  if (newest === undefined || newest.time < time) return { stem, time, ordinal: 1 };
  return { stem, time: newest.time, ordinal: newest.ordinal + 1 };
}

function formatTime(time: Date): string {
  return time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}
