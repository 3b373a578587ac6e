import { readFileSync } from 'node:fs';
import { systemCode } from '../errors/system-error.js';

/**
 * A process as it can be told from a later one with the same number: its number, and when it began, in a unit of the
 * system's own. In a container every start has the same number.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly began: number;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const began = beganAt(process.pid);
  return { pid: process.pid, began: typeof began === 'number' ? began : Math.round(performance.timeOrigin) };
}

/** Whether a process still runs. Where the system does not tell when processes began, another one of its number counts, too. */
export function isRunning({ pid, began }: ProcessIdentity): boolean {
  const own = ownIdentity();
  if (pid === own.pid) return began === own.began;
  const found = beganAt(pid);
  if (found !== 'unknown') return found === began;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's: it may not be signalled, but it is there.
    return systemCode(error) === 'EPERM';
  }
}

/** When a process began, in ticks since the machine did (`man proc_pid_stat`, field 22); undefined where none runs. */
function beganAt(pid: number): number | undefined | 'unknown' {
  if (process.platform !== 'linux') return 'unknown';
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name before it may hold spaces and brackets. The first field behind it is the third of all.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // One that was killed and that nobody has waited for runs no more.
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return Number(fields[19]);
}
