import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import {
  type DagState,
  Order,
  type OrderWorkspace,
  type ProcessRow,
  type RunBudget,
  type SpawnRequest,
  type Task,
} from '@caloron/types';

/** What an order is made of. */
export interface OrderParts {
  readonly row: ProcessRow;
  readonly state: DagState;
  readonly task: Task;
  readonly request: SpawnRequest;
  readonly issue_number: number;
  readonly head_sha: string | null;
  readonly base_head: string;
  readonly clone_url: string;
  readonly session_file: string;
  readonly budget: RunBudget | undefined;
  readonly trusted_objects: string;
  readonly heartbeat_ms: number;
  readonly shell_url: string;
  readonly shell_file: string;
  readonly agent_token: string;
  readonly workspace: OrderWorkspace | undefined;
  readonly sandbox: Order['sandbox'];
}

/** The order of one process. It names no forge token: the harness asks for that when it needs one. */
export function orderOf(parts: OrderParts): Order {
  const { row, state, task, request } = parts;
  const { sprint } = state;
  return Order.parse({
    v: 1,
    process_id: row.process_id,
    sprint_id: row.sprint_id,
    agent_id: row.agent_id,
    role: row.role,
    mode: row.mode,
    attempt: row.attempt,
    task: {
      id: task.id,
      title: task.title,
      description: task.description,
      issue_number: parts.issue_number,
      pr_number: task.pr_number,
    },
    repo: sprint.repo,
    host: sprint.host,
    clone_url: parts.clone_url,
    worktree: row.worktree,
    branch: row.branch,
    base_branch: sprint.base_branch,
    base_sha: row.base_sha,
    base_head: parts.base_head,
    ...(row.mode === 'rebase' && task.base_sha !== null ? { rebase_from: task.base_sha } : {}),
    head_sha: parts.head_sha,
    conventions: sprint.conventions,
    instruction: request.instruction ?? null,
    verify: sprint.verify,
    timeout_ms: sprint.agent_timeout_ms,
    untrusted: [],
    heartbeat_ms: parts.heartbeat_ms,
    log_file: row.log_file,
    session_file: parts.session_file,
    framework: { name: sprint.framework, options: sprint.framework_options },
    ...(parts.budget === undefined ? {} : { budget: parts.budget }),
    trusted_objects: parts.trusted_objects,
    shell_url: parts.shell_url,
    shell_file: parts.shell_file,
    agent_token: parts.agent_token,
    ...(parts.workspace === undefined ? {} : { workspace: parts.workspace }),
    sandbox: parts.sandbox ?? null,
  });
}

/** Writes an order where only this user can read it; the file must not exist yet. */
export function writeOrder(file: string, order: Order): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const handle = openSync(file, 'wx', 0o600);
  try {
    writeSync(handle, JSON.stringify(order));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
