import { z } from 'zod';

import { Mode, Role } from './dag.ts';
import { Feedback } from './agent.ts';
import { Id, RepoName, Sha } from './ids.ts';
import { EndClass } from './run-end.ts';
import { RunBudget } from './spending.ts';

/** The sandbox of one process. All paths are absolute and were looked at by the shell. */
export const Sandbox = z.strictObject({
  /** Path of bubblewrap. */
  program: z.string(),
  network: z.enum(['host', 'none']),
  /** What the agent may read beside the system's programs. */
  readable: z.array(z.string()),
  /** What it may write. */
  writable: z.array(z.string()),
  /** Where Caloron keeps what no agent sees; nothing in it is shown that is not named above. */
  hidden: z.array(z.string()),
});
export type Sandbox = z.infer<typeof Sandbox>;

/** What a worktree holds of the machine, and the hooks around each run in it. */
export const OrderWorkspace = z.strictObject({
  before_run: z.array(z.string()).min(1).nullable(),
  after_run: z.array(z.string()).min(1).nullable(),
  hook_timeout_ms: z.number().int().positive(),
  /** First of `port_count` ports that no other worktree of this home has; null without ports. */
  port_first: z.number().int().nullable(),
  port_count: z.number().int().nullable(),
  cache_dir: z.string().nullable(),
  /** For a harness that is to run this hook and nothing else. */
  hook: z
    .strictObject({ name: z.enum(['after_create', 'before_remove']), argv: z.array(z.string()).min(1) })
    .optional(),
});
export type OrderWorkspace = z.infer<typeof OrderWorkspace>;

/** How a hook ended that a harness was started for: file `{hook}.end.json` beside its order. */
export const HookEnd = z.strictObject({
  /** Null when it ended well. */
  reason: z.string().nullable(),
  /** The end of what it said. */
  tail: z.string(),
});
export type HookEnd = z.infer<typeof HookEnd>;

/** What the shell tells a harness: file CALORON_ORDER_FILE, mode 0600, deleted after reading. Holds the agent's token, never a forge token. */
export const Order = z.strictObject({
  v: z.literal(1),
  process_id: z.string(),
  sprint_id: Id,
  agent_id: Id,
  role: Role,
  mode: Mode,
  attempt: z.number().int().min(1),
  task: z.strictObject({
    id: Id,
    title: z.string(),
    description: z.string(),
    issue_number: z.number().int().positive(),
    pr_number: z.number().int().positive().nullable(),
  }),
  repo: RepoName,
  host: z.string().nullable(),
  clone_url: z.string(),
  worktree: z.string(),
  branch: z.string(),
  base_branch: z.string(),
  base_sha: Sha,
  /** The base branch as the forge had it just before the start. */
  base_head: Sha.optional(),
  /** In a rebase: the base the branch was built on so far; what it contains is not the branch's own. */
  rebase_from: Sha.optional(),
  head_sha: Sha.nullable(),
  conventions: z.string(),
  instruction: z.string().nullable(),
  verify: z.array(z.array(z.string())),
  timeout_ms: z.number().int().positive(),
  /** Text of others, fenced in the prompt. */
  untrusted: z.array(z.strictObject({ source: z.string(), author: z.string(), text: z.string() })),
  heartbeat_ms: z.number().int().positive(),
  log_file: z.string(),
  /** Where the agent's program's own session is kept for the next run of this role of the task; absent: it is not. */
  session_file: z.string().optional(),
  framework: z.strictObject({ name: z.string(), options: z.record(z.string(), z.string()) }),
  /** Absent where the sprint has no budget for a run or its task. */
  budget: RunBudget.optional(),
  /** Objects that only the shell writes, as the forge gave them: what a reviewer believes of its head is read from them. Absent: the worktree's own. */
  trusted_objects: z.string().optional(),
  shell_url: z.string(),
  /** Where a shell that came back at another address says so: JSON with its `url`. */
  shell_file: z.string().optional(),
  agent_token: z.string(),
  /** Absent where the sprint sets nothing for its worktrees. */
  workspace: OrderWorkspace.optional(),
  /** What the agent's program is confined to; null or absent: it is not. */
  sandbox: Sandbox.nullable().optional(),
});
export type Order = z.infer<typeof Order>;

/** One step of the scripted agent; paths are inside the worktree. */
export const StubStep = z.union([
  z.strictObject({ write: z.string(), content: z.string() }),
  z.strictObject({ replace: z.string(), find: z.string(), with: z.string() }),
  z.strictObject({ delete: z.string() }),
  z.strictObject({ run: z.array(z.string()).min(1) }),
  z.strictObject({ commit: z.string() }),
  z.strictObject({ say: z.string() }),
  z.strictObject({ wait_ms: z.number().int().min(0) }),
  /** Says that nothing will show for so many minutes. */
  z.strictObject({ next_by_m: z.number().int().min(0).max(9999) }),
  /** Waits until the shell says something to the agent, for at most so many milliseconds, and answers it. */
  z.strictObject({ await_nudge_ms: z.number().int().min(0) }),
  /** Tokens as if a model had used them. */
  z.strictObject({
    use: z.strictObject({
      model: z.string().min(1),
      input: z.number().int().min(0),
      output: z.number().int().min(0),
      cache_read: z.number().int().min(0).optional(),
      cache_write: z.number().int().min(0).optional(),
      cost_usd: z.number().min(0).optional(),
    }),
  }),
]);
export type StubStep = z.infer<typeof StubStep>;

/** The script of the `stub` framework: `{script_dir}/{task_id}.json`; attempt n uses `attempts[min(n, length) - 1]`. */
export const StubScript = z.strictObject({
  v: z.literal(1),
  attempts: z
    .array(
      z.strictObject({
        steps: z.array(StubStep),
        exit_code: z.number().int().optional(),
        feedback: Feedback.partial().optional(),
        /** Ends the attempt as a program does that met this trouble, after its steps. */
        end: z
          .strictObject({
            class: EndClass,
            /** What the program says; a sentence of the class when absent. */
            says: z.string().optional(),
            /** Milliseconds until the limit ends. */
            reset_in_ms: z.number().int().min(0).optional(),
          })
          .optional(),
      }),
    )
    .min(1),
});
export type StubScript = z.infer<typeof StubScript>;
