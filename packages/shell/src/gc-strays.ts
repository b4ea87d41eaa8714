import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';

import { taggedProcesses } from '@caloron/capabilities/process-identity';
import type { Store } from '@caloron/store';
import { type GcItem, Id, type ProcessRow } from '@caloron/types';

import type { Verdict } from './gc-class.ts';
import { isBelow } from './git/confined.ts';
import { agentFiles, type ShellPaths } from './paths.ts';
import { removeTree } from './workspace.ts';

/** Something that lies in a home, found by looking at the disk rather than at a task. */
export interface Stray extends Verdict {
  readonly kind: GcItem['kind'];
  readonly path: string;
  /** Null for what belongs to no task. */
  readonly row: ProcessRow | null;
  /** Null where it stays. */
  readonly remove: (() => void) | null;
}

/** Where strays are looked for. */
interface Place {
  readonly paths: ShellPaths;
  readonly store: Pick<Store, 'worktreeLeases' | 'processes'>;
}

/** Instant of the last change of a directory's own entries, in milliseconds. */
const changedAt = (path: string): number => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

const directories = (dir: string): readonly string[] =>
  lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() === true
    ? readdirSync(dir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(dir, name))
    : [];

/** Tasks that have a clone in this home, as their names say. */
export function clonesIn(paths: ShellPaths): readonly { readonly sprint_id: Id; readonly task_id: Id }[] {
  return directories(paths.tasks).flatMap((sprint) =>
    directories(sprint).flatMap((clone) => {
      const sprint_id = Id.safeParse(basename(sprint));
      const task_id = Id.safeParse(basename(clone, '.git'));
      const ours = clone.endsWith('.git') && sprint_id.success && task_id.success;
      return ours ? [{ sprint_id: sprint_id.data, task_id: task_id.data }] : [];
    }),
  );
}

/** Caches whose worktree is gone: what is in a cache can be made again. */
export function strayCaches({ paths, store }: Place): readonly Stray[] {
  const held = (): readonly string[] =>
    store.worktreeLeases.list().flatMap(({ cache_dir }) => cache_dir ?? []);
  const look = (dir: string): readonly Stray[] =>
    directories(dir).flatMap((path) => {
      const used = held();
      if (used.includes(path)) return [];
      const deep = relative(paths.cache, path).split(sep).length;
      const above = used.some((cache) => isBelow(path, cache));
      // A cache lies where its worktree does: below its sprint at least.
      if (above || deep === 1) return look(path);
      const reason = 'a cache without a worktree';
      return [{ kind: 'cache', class: 'clean', reason, path, row: null, remove: () => remove(path) }];
    });
  // An agent that is started meanwhile leases its cache before it is made: nothing may come between look and removal.
  const remove = (path: string): void => {
    if (!held().some((cache) => isBelow(path, cache))) removeTree(paths.cache, path);
  };
  return look(paths.cache);
}

/** Between an agent's order and its record lie moments; so long a directory without one may be a start's, in milliseconds. */
const STARTING_MS = 60_000;

/** Directories of processes that the database does not know: of one that was put aside. They go once nothing changed in them for a while. */
export function strayAgents(
  { paths, store }: Place,
  { before_ms, now_ms }: { readonly before_ms: number; readonly now_ms: number },
): readonly Stray[] {
  return directories(paths.agents).flatMap((path): readonly Stray[] => {
    const process_id = relative(paths.agents, path);
    if (store.processes.get(process_id) !== undefined) return [];
    const item = { kind: 'agents', path, row: null } as const;
    if (taggedProcesses(new Set([process_id])).length > 0)
      return [{ ...item, class: 'live', reason: 'a process nobody knows of is at work', remove: null }];
    const reason = 'of a process this database does not know';
    const isOld = (): boolean => changedAt(path) <= Math.min(before_ms, now_ms - STARTING_MS);
    // A start makes this before its record: what was looked at a while ago may have become an agent's.
    const remove = (): void => {
      if (isOld() && store.processes.get(process_id) === undefined) removeTree(paths.agents, path);
    };
    return [{ ...item, class: 'clean', reason, remove: isOld() ? remove : null }];
  });
}

/** Sandboxes' own directories that a harness which was killed left. */
export function straySandboxes(paths: ShellPaths, rows: readonly ProcessRow[]): readonly Stray[] {
  return rows.flatMap((row): readonly Stray[] => {
    const path = join(agentFiles(paths, row.process_id).dir, 'sandbox');
    const ended = row.state === 'exited' || row.state === 'lost';
    if (!ended || lstatSync(path, { throwIfNoEntry: false }) === undefined) return [];
    if (taggedProcesses(new Set([row.process_id])).length > 0) return [];
    const remove = (): void => removeTree(paths.agents, path);
    const reason = 'home and /tmp of a sandbox that has ended';
    return [{ kind: 'agents', class: 'clean', reason, path, row, remove }];
  });
}

/** What lies among the worktrees and belongs to no task; nothing of it is touched. */
export function foreigners({ paths }: Place, known: ReadonlySet<string>): readonly Stray[] {
  const above = (dir: string): boolean => [...known].some((path) => isBelow(dir, path));
  const look = (dir: string): readonly Stray[] => {
    if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry): readonly Stray[] => {
      const path = join(dir, entry.name);
      if (known.has(path)) return [];
      const deep = relative(paths.worktrees, path).split(sep).length;
      const inner = entry.isDirectory() && (above(path) || (deep === 1 && !existsSync(join(path, '.git'))));
      if (inner) return look(path);
      const reason = 'it belongs to no task known here';
      return [{ kind: 'other', class: 'foreign', reason, path, row: null, remove: null }];
    });
  };
  return look(paths.worktrees);
}
