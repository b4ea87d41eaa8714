import type { Verdict } from './gc-class.ts';
import { apart, noted, type Run } from './gc-run.ts';
import { finishRemoval, removalsIn } from './git/removal.ts';
import { taskKey } from './spawner.ts';
import { loadState } from './sprint.ts';
import { withTaskLock } from './task-lock.ts';

/** What somebody who died was removing, or could not remove; one of a task nobody knows is named with all else that is not ours. */
export async function collectInterrupted(run: Run): Promise<void> {
  const { paths, mutex, store } = run.deps;
  for (const [root, kind] of [[paths.worktrees, 'worktree'] as const, [paths.tasks, 'clone'] as const])
    for (const { path, ...of } of removalsIn(root)) {
      const known = await loadState(store, of.sprint_id).then(
        (state) => Object.hasOwn(state.tasks, of.task_id),
        () => false,
      );
      if (!known) continue;
      const verdict: Verdict = { class: 'clean', reason: 'its removal was not finished' };
      const finish = async (): Promise<void> =>
        void (await noted(run, of, kind, path)(verdict, () => finishRemoval(path)));
      const locked = () => withTaskLock(paths, of, 'remove what is over', finish);
      await mutex.run(taskKey(of), () => apart(run, of, locked));
    }
}
