import child_process from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

/** Commands of git that make, unmake or fill a worktree. */
const OF_WORKTREES = /^(?:worktree|read-tree)$/;

/**
 * Has this process die of SIGKILL at its `step`th change of a worktree, counted from 1: a rename, a deletion (once before it and once
 * when all but one entry is gone), or a git command that makes one. To be called before what does it is loaded.
 */
export function dieAt(step: number): void {
  let count = 0;
  const next = (): void => {
    count += 1;
    if (count === step) process.kill(process.pid, 'SIGKILL');
  };
  const { renameSync, rmSync, promises } = fs;
  const { rm } = promises;
  const { spawn } = child_process;
  fs.renameSync = (from, to) => {
    next();
    renameSync(from, to);
  };
  fs.rmSync = (path, options) => {
    if (fs.existsSync(path)) next();
    rmSync(path, options);
  };
  promises.rm = async (path, options) => {
    next();
    const [, ...most] = fs.existsSync(path) ? fs.readdirSync(path).toReversed() : [];
    for (const name of most) rmSync(join(String(path), name), { recursive: true });
    next();
    await rm(path, options);
  };
  child_process.spawn = ((command: string, args: readonly string[], options: object) => {
    if (args.some((arg) => OF_WORKTREES.test(arg))) next();
    return spawn(command, args, options);
  }) as typeof spawn;
  syncBuiltinESMExports();
}
