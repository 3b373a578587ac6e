import { readdirSync, readFileSync } from 'node:fs';

/** The most memory that was resident at once, as the kernel counts it for each process (VmHWM), bytes; 0 where it is gone. */
export function peakOf(pid) {
  return statusOf(pid, 'VmHWM');
}

/** Memory that is resident now, bytes; 0 where the process is gone. */
export function residentOf(pid) {
  return statusOf(pid, 'VmRSS');
}

/** How often peaks and processor time are read, ms: a process takes them along when it ends. */
const EVERY = 20;

/** Follows the peak of a process and the largest of its children's, and the processor time of all, seconds. */
export function watchProcess(pid) {
  const children = new Map();
  const childrenCpu = new Map();
  let peak = 0;
  let cpu = 0;
  const look = () => {
    peak = Math.max(peak, peakOf(pid));
    cpu = Math.max(cpu, cpuOf(pid));
    for (const child of childrenOf(pid)) {
      children.set(child, Math.max(children.get(child) ?? 0, peakOf(child)));
      childrenCpu.set(child, Math.max(childrenCpu.get(child) ?? 0, cpuOf(child)));
    }
  };
  const timer = setInterval(look, EVERY);
  return {
    stop() {
      clearInterval(timer);
      return {
        peak,
        child: Math.max(0, ...children.values()),
        cpu: [...childrenCpu.values()].reduce((sum, one) => sum + one, cpu),
      };
    },
  };
}

function statusOf(pid, field) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Processor time of a process without its children (`man proc_pid_stat`, 100 ticks per second). */
function cpuOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return fields.slice(11, 13).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
  } catch {
    return 0;
  }
}

function childrenOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
