import type { Logger } from '@caloron/capabilities/logger';
import { messageOf } from '@caloron/noether/errors';
import type { Store } from '@caloron/store';
import type { Clock, GcItem, GcRequest, Id, ProcessRow } from '@caloron/types';

import { diskUse } from './disk-use.ts';
import type { Verdict } from './gc-class.ts';
import type { KeyedMutex } from './mutex.ts';
import type { ShellPaths } from './paths.ts';
import type { Workspaces } from './workspace.ts';
import type { Worktrees } from './worktrees.ts';

/** What the collection of garbage needs. */
export interface GcDeps {
  readonly paths: ShellPaths;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mutex: KeyedMutex;
  readonly worktrees: Worktrees;
  readonly workspaces: Workspaces;
  /** Whether a process whose row is open may still run. */
  readonly mayLive: (row: ProcessRow) => Promise<boolean>;
}

/** One collection of garbage, and what it found so far. */
export interface Run {
  readonly deps: GcDeps;
  readonly request: GcRequest;
  readonly quick: boolean;
  readonly items: GcItem[];
}

/** The names of a task. */
export interface TaskIds {
  readonly sprint_id: Id;
  readonly task_id: Id;
}

/** A task of which something cannot be read, or in whose worktree a person's command is at work, keeps no other from its turn. */
export async function apart(
  run: Run,
  { sprint_id, task_id }: TaskIds,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    run.deps.log.warn(
      { sprint_id, task_id, reason: messageOf(error) },
      'a task is passed over in the clean-up',
    );
  }
}

/** Writes an item down, after its removal where it is due; true when it stays. */
export function noted(
  { deps, request, quick, items }: Run,
  of: { readonly sprint_id: Id; readonly task_id: Id } | null,
  kind: GcItem['kind'],
  path: string,
  files: readonly string[] = [path],
): (verdict: Verdict, remove: (() => void | Promise<void>) | null) => Promise<boolean> {
  return async (verdict, remove) => {
    let bytes = 0;
    for (const file of quick && remove === null ? [] : files) bytes += await diskUse(file);
    const whose = { sprint_id: of?.sprint_id ?? null, task_id: of?.task_id ?? null };
    const item = { kind, ...verdict, ...whose, path, bytes };
    if (remove === null || request.dry_run === true) {
      items.push({ ...item, action: remove === null ? 'kept' : 'would_remove' });
      return remove === null;
    }
    try {
      await remove();
      items.push({ ...item, action: 'removed' });
      return false;
    } catch (error) {
      deps.log.warn({ path, reason: messageOf(error) }, 'what is over could not be removed');
      items.push({ ...item, action: 'failed', reason: messageOf(error) });
      return true;
    }
  };
}
