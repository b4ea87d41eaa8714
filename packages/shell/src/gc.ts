import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { messageOf } from '@caloron/noether/errors';
import {
  type DagState,
  epochMs,
  type GcReply,
  type GcRequest,
  type Id,
  minutesBetween,
  type ProcessRow,
  type Role,
  type Task,
} from '@caloron/types';

import { classOfClone, classOfWorktree, isOver, type Verdict } from './gc-class.ts';
import { collectInterrupted } from './gc-interrupted.ts';
import { apart, type GcDeps, noted, type Run, type TaskIds } from './gc-run.ts';
import { clonesIn, foreigners, strayAgents, strayCaches, straySandboxes } from './gc-strays.ts';
import { ownWorktree } from './git/own-worktree.ts';
import { finishRemoval, takeAway } from './git/removal.ts';
import { saveWip } from './git/wip.ts';
import { agentFiles, logFile, sessionFile, type ShellPaths, taskCloneDir } from './paths.ts';
import { taskKey } from './spawner.ts';
import { loadState, taskOf } from './sprint.ts';
import { withTaskLock } from './task-lock.ts';
import { removeTree } from './workspace.ts';

/** Looks at all that lies in a home and removes what nobody needs; whatever holds work that is nowhere else stays, and is named. */
export type Gc = (
  request: GcRequest,
  options?: {
    /** Looks at tasks that are over alone, and measures only what it removes. */
    readonly quick?: boolean;
  },
) => Promise<GcReply>;

/** Days that what is clean stays after its task is over. */
const KEEP_DAYS = 7;

const ROLES: readonly Role[] = ['author', 'reviewer'];

interface TaskPlace {
  readonly state: DagState;
  readonly task: Task;
}

const idsOf = ({ state, task }: TaskPlace): { readonly sprint_id: Id; readonly task_id: Id } => ({
  sprint_id: state.sprint_id,
  task_id: task.id,
});

/** One task after the other, each under the lock that its starts take: an agent that is started meanwhile finds its worktree or makes it anew. */
export function createGc(deps: GcDeps): Gc {
  return (request, { quick = false } = {}) =>
    deps.mutex.run('gc', async () => {
      const run: Run = { deps, request, quick, items: [] };
      const rows = deps.store.processes.list();
      for (const [key, task] of tasksOf(deps, rows))
        await deps.mutex.run(key, () =>
          apart(run, task, () => collectTask(run, task.sprint_id, task.task_id)),
        );
      await collectInterrupted(run);
      if (!quick) await collectStrays(run, rows);
      const removed = run.items.filter(({ action }) => action === 'removed' || action === 'would_remove');
      const reclaimed_bytes = removed.reduce((sum, { bytes }) => sum + bytes, 0);
      return { ok: true, items: run.items, reclaimed_bytes };
    });
}

/** Tasks that have something here: a process, what a worktree holds, or a clone of which no process came. */
function tasksOf({ paths, store }: GcDeps, rows: readonly ProcessRow[]): ReadonlyMap<string, TaskIds> {
  const all: readonly TaskIds[] = [...rows, ...store.worktreeLeases.list(), ...clonesIn(paths)];
  return new Map(all.map((of) => [taskKey(of), of]));
}

async function collectTask(run: Run, sprint_id: Id, task_id: Id): Promise<void> {
  const { deps } = run;
  const rows = deps.store.processes.list(sprint_id).filter((row) => row.task_id === task_id);
  let place: TaskPlace;
  try {
    const state = await loadState(deps.store, sprint_id);
    place = { state, task: taskOf(state, task_id) };
  } catch {
    // A task nobody knows any more: what lies there is named with all else that is not ours.
    return;
  }
  if (run.quick && !isOver(place.state, place.task)) return;
  const collect = async (): Promise<void> => {
    const live = await isLive(deps, rows);
    let left = 0;
    for (const role of ROLES) left += (await collectWorktree(run, place, role, live)) ? 1 : 0;
    await collectClone(run, place, left > 0 || live);
    await collectRecords(run, place, rows, live);
  };
  // Without a clone there is no worktree anything could be put back into.
  const there = existsSync(taskCloneDir(deps.paths, sprint_id, task_id));
  await (there
    ? withTaskLock(deps.paths, { sprint_id, task_id }, 'remove what is over', collect)
    : collect());
}

async function isLive({ mayLive }: GcDeps, rows: readonly ProcessRow[]): Promise<boolean> {
  for (const row of rows)
    if ((row.state === 'spawning' || row.state === 'running') && (await mayLive(row))) return true;
  return taggedProcesses(new Set(rows.map(({ process_id }) => process_id))).length > 0;
}

/** True when a worktree stays. */
async function collectWorktree(run: Run, place: TaskPlace, role: Role, live: boolean): Promise<boolean> {
  const { deps, request } = run;
  const { state, task } = place;
  const { store, worktrees, workspaces, paths } = deps;
  const row = store.processes.latest(state.sprint_id, task.id, role);
  const where = worktrees.placeOf(state.sprint_id, task.id, role, row);
  const note = noted(run, idsOf(place), 'worktree', where.path);
  try {
    const own = ownWorktree(where.root, where.clone, where.path);
    if (own === undefined) {
      if (!live && request.dry_run !== true && store.worktreeLeases.get(where.path) !== undefined)
        await workspaces.release(where.path);
      return false;
    }
    if (live) return await note({ class: 'live', reason: 'an agent may be at work' }, null);
    const verdict = await classOfWorktree(worktrees.clean, paths, { ...place, clone: where.clone, own });
    const remove = async (): Promise<void> =>
      workspaces.remove({ ...place, row }, where, 'before its removal');
    const unfinished = verdict.class === 'dirty' || verdict.class === 'unpushed';
    if (unfinished && request.snapshot_dirty === true && isOver(state, task)) {
      const save = async (): Promise<string | null> =>
        saveWip(worktrees.clean, { ...where, own, reason: 'before its removal' });
      const saved = request.dry_run === true ? null : await save();
      const kept = saved === null ? 'its commits stay in the clone' : `saved as ${saved}`;
      return await note({ ...verdict, reason: `${verdict.reason}; ${kept}` }, remove);
    }
    return await note(withTerm(run, place, verdict), due(run, place, verdict) ? remove : null);
  } catch (error) {
    return note({ class: 'foreign', reason: messageOf(error) }, null);
  }
}

async function collectClone(run: Run, place: TaskPlace, used: boolean): Promise<void> {
  const { deps } = run;
  const clone = taskCloneDir(deps.paths, place.state.sprint_id, place.task.id);
  if (!existsSync(clone)) return;
  const note = noted(run, idsOf(place), 'clone', clone);
  try {
    const verdict = await classOfClone(deps.worktrees.clean, deps.paths, { ...place, clone });
    const remove = (): Promise<void> => finishRemoval(takeAway(deps.paths.tasks, clone, idsOf(place)));
    await note(
      used && verdict.class === 'clean'
        ? { class: 'open', reason: 'it has a worktree' }
        : withTerm(run, place, verdict),
      !used && due(run, place, verdict) ? remove : null,
    );
  } catch (error) {
    await note({ class: 'foreign', reason: messageOf(error) }, null);
  }
}

/** What is kept of agents' sessions, and what a harness that was killed left of keeping one. */
function sessionsOf(paths: ShellPaths, { state, task }: TaskPlace): readonly string[] {
  return ROLES.flatMap((role) => {
    const file = sessionFile(paths, state.sprint_id, task.id, role);
    const dir = dirname(file);
    const names = existsSync(dir) ? readdirSync(dir) : [];
    return names.filter((name) => name.startsWith(basename(file))).map((name) => join(dir, name));
  });
}

/** Orders, ends, logs and sessions of the processes of a task that is over. */
async function collectRecords(
  run: Run,
  place: TaskPlace,
  rows: readonly ProcessRow[],
  live: boolean,
): Promise<void> {
  const { paths } = run.deps;
  const files = rows.flatMap(({ process_id }) => {
    const log = logFile(paths, process_id);
    return [agentFiles(paths, process_id).dir, log, `${log}.1`, `${log}.2`, `${log}.3`];
  });
  const there = [...files, ...sessionsOf(paths, place)].filter(
    (file) => lstatSync(file, { throwIfNoEntry: false }) !== undefined,
  );
  const [first] = there;
  if (first === undefined || live || !isOver(place.state, place.task)) return;
  const verdict: Verdict = { class: 'clean', reason: `logs, orders and sessions of ${rows.length} runs` };
  const remove = async (): Promise<void> => {
    for (const file of there) removeTree(paths.root, file);
    return Promise.resolve();
  };
  await noted(
    run,
    idsOf(place),
    'agents',
    first,
    there,
  )(withTerm(run, place, verdict), due(run, place, verdict) ? remove : null);
}

/** Merged work goes at once, what is only clean after its time. */
function due({ deps, request }: Run, { task, state }: TaskPlace, verdict: Verdict): boolean {
  if (verdict.class === 'merged') return true;
  if (verdict.class !== 'clean' || !isOver(state, task)) return false;
  const days = minutesBetween(task.status_at, deps.clock.now()) / (24 * 60);
  return days >= (request.keep_days ?? KEEP_DAYS);
}

/** The verdict; of what is clean and stays for its time, with that time. */
function withTerm(run: Run, place: TaskPlace, verdict: Verdict): Verdict {
  if (verdict.class !== 'clean' || due(run, place, verdict)) return verdict;
  const days = run.request.keep_days ?? KEEP_DAYS;
  return {
    ...verdict,
    reason: `${verdict.reason}; it stays ${days === 1 ? 'a day' : `${days} days`} after that`,
  };
}

/** What no task leads to: found by looking at the disk. */
async function collectStrays(run: Run, rows: readonly ProcessRow[]): Promise<void> {
  const { deps, items } = run;
  const { paths, store, clock } = deps;
  const days = run.request.keep_days ?? KEEP_DAYS;
  const now_ms = epochMs(clock.now());
  const before_ms = now_ms - days * 24 * 60 * 60_000;
  const known = new Set([
    ...rows.map(({ worktree }) => worktree),
    ...store.worktreeLeases.list().map(({ worktree }) => worktree),
    ...items.map(({ path }) => path),
  ]);
  // What goes with all else of its task is not counted twice.
  const whole = items.filter(({ kind, action }) => kind === 'agents' && action !== 'kept');
  const left = rows.filter(
    (row) => !whole.some((item) => item.sprint_id === row.sprint_id && item.task_id === row.task_id),
  );
  const sandboxes = straySandboxes(paths, left);
  const found = [...sandboxes, ...strayAgents(deps, { before_ms, now_ms }), ...strayCaches(deps)];
  for (const { kind, path, row, remove, ...verdict } of [...found, ...foreigners(deps, known)])
    await noted(run, row, kind, path)(verdict, remove);
}
