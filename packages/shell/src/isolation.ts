import { lstatSync, realpathSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

import type { Logger } from '@caloron/capabilities/logger';
import { probeSandbox, type SandboxProbe } from '@caloron/capabilities/sandbox';
import type { Order, ProcessRow, Sprint } from '@caloron/types';

import type { ShellConfig } from './config.ts';
import { ShellError } from './errors.ts';
import { isBelow } from './git/confined.ts';
import { mirrorDir, type ShellPaths, taskCloneDir } from './paths.ts';

/** Decides whether agents are confined, and to what. */
export interface Isolation {
  /** Refuses a sprint whose agents may not be started as the machine is. Throws SANDBOX_UNAVAILABLE, SANDBOX_PATH_INVALID. */
  admit(sprint: Sprint): Promise<void>;
  /** What one process is confined to; null when it is not. Throws as `admit`. */
  sandboxOf(sprint: Sprint, row: ProcessRow): Promise<Order['sandbox']>;
  /** Whether a sandbox works here: with what, or why not. */
  probe(): Promise<SandboxProbe>;
}

/** What isolation stands on. */
export interface IsolationDeps {
  readonly config: Pick<ShellConfig, 'env' | 'require_sandbox' | 'db'>;
  readonly paths: ShellPaths;
  readonly log: Logger;
}

/** Isolation for one home. A working sandbox is looked for once; where there is none, again for each start, since it may be installed meanwhile. */
export function createIsolation({ config, paths, log }: IsolationDeps): Isolation {
  const known = new Map<string, SandboxProbe>();
  let told = false;
  const secrets = { kept: [paths.root, config.db], home: config.env['HOME'] ?? null };

  async function probe(network: 'host' | 'none' = 'host'): Promise<SandboxProbe> {
    const found = known.get(network) ?? (await probeSandbox(config.env['PATH'], network));
    if (found.program !== null) known.set(network, found);
    return found;
  }

  /** Path of the sandbox's program; null for agents that run without one. */
  async function programFor(sprint: Sprint): Promise<string | null> {
    const mode = sprint.isolation?.sandbox ?? 'auto';
    if (mode === 'off' && !config.require_sandbox) return null;
    const found = await probe(sprint.isolation?.network);
    if (found.program !== null && mode !== 'off') return found.program;
    const asked = requiredBy(sprint, config.require_sandbox);
    if (asked !== null) {
      const reason = found.reason ?? 'isolation.sandbox of the sprint is off';
      throw new ShellError('SANDBOX_UNAVAILABLE', {
        sprint_id: sprint.sprint_id,
        required_by: asked,
        reason,
      });
    }
    if (!told) log.warn({ reason: found.reason }, 'agents run without a sandbox: they can read what you can');
    told = true;
    return null;
  }

  return {
    probe,
    async admit(sprint) {
      if ((await programFor(sprint)) !== null) namedPaths(sprint, secrets);
    },
    async sandboxOf(sprint, row) {
      const program = await programFor(sprint);
      if (program === null) return null;
      const named = namedPaths(sprint, secrets);
      const clone = taskCloneDir(paths, row.sprint_id, row.task_id);
      const objects = join(clone, 'objects');
      return {
        program,
        network: sprint.isolation?.network ?? 'host',
        // The mirror's objects are the clone's too. What says where more objects are is not the agent's to change.
        readable: [...named.readable, mirrorDir(paths, sprint.host, sprint.repo), join(objects, 'info')],
        writable: [...named.writable, row.worktree, clone, objects],
        hidden: [paths.root, ...(isBelow(paths.root, config.db) ? [] : [config.db])],
      };
    },
  };
}

/** Who wants a sandbox, in words; null when agents may run without. On github.com a sandbox, or that it is off, has to be said. */
function requiredBy(sprint: Sprint, flag: boolean): string | null {
  const mode = sprint.isolation?.sandbox ?? 'auto';
  if (flag) return 'the shell was started with --require-sandbox (or CALORON_REQUIRE_SANDBOX)';
  if (mode === 'require') return 'isolation.sandbox is "require"';
  if (mode === 'auto' && sprint.host === null) return 'the sprint works on github.com';
  return null;
}

/** What no named path may show. */
interface Secrets {
  /** Caloron's own places: nothing in them, and nothing they are in. */
  readonly kept: readonly string[];
  /** The home directory as a whole; null where none is known. */
  readonly home: string | null;
}

/** The further paths of a sprint as they are on disk. Throws SANDBOX_PATH_INVALID. */
function namedPaths(
  { isolation }: Sprint,
  secrets: Secrets,
): { readonly readable: readonly string[]; readonly writable: readonly string[] } {
  const check = (field: string) => (path: string) => {
    const reason = unfit(path, secrets);
    if (reason === null) return path;
    throw new ShellError('SANDBOX_PATH_INVALID', { field: `isolation.${field}`, path, reason });
  };
  return {
    readable: (isolation?.readable ?? []).map(check('readable')),
    writable: (isolation?.writable ?? []).map(check('writable')),
  };
}

/** What is wrong with a path agents shall see; null when nothing is. */
function unfit(path: string, { kept, home }: Secrets): string | null {
  if (!isAbsolute(path) || path.includes('\0')) return 'it is not absolute';
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return 'it does not exist';
  // A link could be turned to something else once it was looked at.
  if (realPath(path) !== path)
    return 'it is a symbolic link, lies behind one, or is not in its shortest form';
  const secret = kept.find((place) => isBelow(path, place) || isBelow(place, path));
  if (secret !== undefined) return `it would show ${secret}`;
  if (home !== null && isBelow(path, realPath(home) ?? home)) return 'it would show the whole home directory';
  return ['/proc', '/sys', '/dev', '/run', '/tmp'].includes(path) ? 'it belongs to the system' : null;
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
