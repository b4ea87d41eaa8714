import { join } from 'node:path';

import { hostDir, type Id, type RepoName, type Role } from '@caloron/types';

/** Where everything the shell keeps lies; all absolute. */
export interface ShellPaths {
  /** The directory that holds `.caloron/`. */
  readonly home: string;
  /** `.caloron` itself. */
  readonly root: string;
  readonly token_file: string;
  /** Which process serves this home. */
  readonly lock_file: string;
  /** The address the shell of this home serves at, for agents of an earlier one. */
  readonly address_file: string;
  /** The root all worktrees stay below. */
  readonly worktrees: string;
  readonly repos: string;
  readonly tasks: string;
  readonly agents: string;
  readonly logs: string;
  /** Cache directories of worktrees, each where its worktree is below `worktrees`. */
  readonly cache: string;
}

/** The places below one home. */
export function pathsOf(home: string): ShellPaths {
  const root = join(home, '.caloron');
  return {
    home,
    root,
    token_file: join(root, 'shell-token'),
    lock_file: join(root, 'shell.lock'),
    address_file: join(root, 'shell.json'),
    worktrees: join(root, 'worktrees'),
    repos: join(root, 'repos'),
    tasks: join(root, 'tasks'),
    agents: join(root, 'agents'),
    logs: join(root, 'logs'),
    cache: join(root, 'cache'),
  };
}

/** The mirror of one repository: only the shell touches it, and only there runs a credentialed fetch. */
export function mirrorDir(paths: ShellPaths, host: string | null, repo: RepoName): string {
  return join(paths.repos, hostDir(host), `${repo}.git`);
}

/** The bare clone a task's worktrees belong to. */
export function taskCloneDir(paths: ShellPaths, sprint_id: Id, task_id: Id): string {
  return join(paths.tasks, sprint_id, `${task_id}.git`);
}

/** What is kept of the session of a task's agent between its runs: beside the task's clone, where no agent writes. */
export function sessionFile(paths: ShellPaths, sprint_id: Id, task_id: Id, role: Role): string {
  return join(paths.tasks, sprint_id, `${task_id}.${role}.session.json`);
}

/** What one process is given and leaves behind: order, exit, the harness's own output. */
export function agentFiles(
  paths: ShellPaths,
  process_id: string,
): {
  readonly dir: string;
  readonly order: string;
  readonly exit: string;
  readonly harness_log: string;
  readonly sandbox: string;
} {
  const dir = join(paths.agents, process_id);
  return {
    dir,
    order: join(dir, 'order.json'),
    exit: join(dir, 'exit.json'),
    harness_log: join(dir, 'harness.log'),
    sandbox: join(dir, 'sandbox'),
  };
}

/** The agent's output, written and rotated by the harness. */
export function logFile(paths: ShellPaths, process_id: string): string {
  return join(paths.logs, `${process_id}.log`);
}
