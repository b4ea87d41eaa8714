import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

const MIB = 1024 * 1024;
/** A limit of cgroup v1 that is no limit: the largest page-aligned number, 2^63 − 4096, and whatever no machine has. */
const NO_LIMIT = 2 ** 60;

/** What a machine has left. A figure that cannot be read is undefined, and binds nobody. */
export interface Machine {
  /** MiB that a new process can use, and who says so. */
  memory(): { readonly available_mb: number; readonly source: string } | undefined;
  /** MiB and files that are free for this user where `path` lies; null for a file system that does not count its files. */
  disk(path: string): { readonly free_mb: number; readonly free_files: number | null } | undefined;
  /** Processes that run or wait, averaged over a minute, per core. */
  load(): { readonly per_core: number; readonly cores: number } | undefined;
}

/** The machine this process is on; `root` is where its /proc and /sys lie. */
export function systemMachine(root = '/'): Machine {
  return {
    memory: () => {
      const found = [hostMemory(root), ...cgroupMemory(root)].filter((each) => each !== undefined);
      return found.toSorted((a, b) => a.available_mb - b.available_mb)[0];
    },
    disk: (path) => {
      try {
        const { bavail, bsize, files, ffree } = statfsSync(path);
        return { free_mb: Math.floor((bavail * bsize) / MIB), free_files: files === 0 ? null : ffree };
      } catch {
        // Nothing is there yet: what makes it says why it cannot.
        return undefined;
      }
    },
    load: () => {
      const [first] = textOf(join(root, 'proc/loadavg'))?.split(' ') ?? [];
      const cores = availableParallelism();
      return first === undefined ? undefined : { per_core: Number(first) / cores, cores };
    },
  };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A kernel without it, or a sandbox that hides it.
    return undefined;
  }
}

/** MemAvailable counts what the kernel can take back from its caches. Source: proc(5). */
function hostMemory(root: string): ReturnType<Machine['memory']> {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(textOf(join(root, 'proc/meminfo')) ?? '')?.[1];
  return kib === undefined
    ? undefined
    : { available_mb: Math.floor(Number(kib) / 1024), source: '/proc/meminfo' };
}

/** Files of a memory controller: of version 2, and of version 1. */
const FILES = {
  v2: { limit: 'memory.max', used: 'memory.current', cache: 'inactive_file' },
  v1: { limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', cache: 'total_inactive_file' },
} as const;

/** What the limits of this process's control groups leave, its own and those above it. */
function cgroupMemory(root: string): readonly ReturnType<Machine['memory']>[] {
  const lines = textOf(join(root, 'proc/self/cgroup'))?.split('\n') ?? [];
  return lines.flatMap((line) => {
    const [, id, controllers = '', path = '/'] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (id === '0' && controllers === '') return above(join(root, 'sys/fs/cgroup'), path, 'v2');
    return controllers.split(',').includes('memory')
      ? above(join(root, 'sys/fs/cgroup/memory'), path, 'v1')
      : [];
  });
}

function above(mount: string, path: string, version: 'v1' | 'v2'): readonly ReturnType<Machine['memory']>[] {
  const found: ReturnType<Machine['memory']>[] = [];
  // In a container the path may be that of the host: what is not there has no limit to read.
  for (let at = join('/', path); ; at = dirname(at)) {
    found.push(leftOf(join(mount, at), version));
    if (at === '/') return found;
  }
}

/** The limit less what is used beside inactive file pages, which the kernel takes back first: a group's working set, as Kubernetes reckons it. */
function leftOf(dir: string, version: 'v1' | 'v2'): ReturnType<Machine['memory']> {
  const files = FILES[version];
  const limit = Number(textOf(join(dir, files.limit)) ?? Number.NaN);
  const used = Number(textOf(join(dir, files.used)) ?? Number.NaN);
  if (!Number.isFinite(limit) || limit >= NO_LIMIT || !Number.isFinite(used)) return undefined;
  const cache = new RegExp(`^${files.cache} (\\d+)$`, 'm').exec(textOf(join(dir, 'memory.stat')) ?? '')?.[1];
  const left = limit - Math.max(0, used - Number(cache ?? 0));
  return { available_mb: Math.max(0, Math.floor(left / MIB)), source: join(dir, files.limit) };
}
