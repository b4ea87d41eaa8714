import { z } from 'zod';

/** What may be spent; a limit that is absent does not bind. The upper ends only refuse numbers nobody means. */
export const BudgetLimit = z.strictObject({
  tokens: z.number().int().positive().max(1e12).optional(),
  /** US dollars, by the sprint's `prices`; a millionth is the least. */
  cost_usd: z.number().min(1e-6).max(1e6).optional(),
  /** Wall clock of running agents, in minutes; at most ten years. */
  minutes: z.number().min(1e-3).max(5_256_000).optional(),
});
export type BudgetLimit = z.infer<typeof BudgetLimit>;

/** Whether a money limit could hold: each model needs some price. */
export function lacksPrice({
  budget,
  prices,
}: {
  readonly budget?: Budget | undefined;
  readonly prices?: Readonly<Record<string, Price>> | undefined;
}): boolean {
  const limits = [budget?.agent, budget?.task, budget?.sprint];
  const money = limits.some((limit) => limit?.cost_usd !== undefined);
  return money && !Object.hasOwn(prices ?? {}, 'default');
}

/** Limits per run of an agent, per task over all its runs, and for the sprint. */
export const Budget = z.strictObject({
  agent: BudgetLimit.optional(),
  task: BudgetLimit.optional(),
  sprint: BudgetLimit.optional(),
});
export type Budget = z.infer<typeof Budget>;

/** US dollars per million tokens: no model costs a hundredth of the upper end. */
const PerMillion = z.number().min(0).max(10_000);

/** US dollars per million tokens of one model. */
export const Price = z.strictObject({
  input: PerMillion,
  output: PerMillion,
  /** Tokens read from the provider's cache; the price of `input` when absent. */
  cache_read: PerMillion.optional(),
  /** Tokens written to it; the price of `input` when absent. */
  cache_write: PerMillion.optional(),
});
export type Price = z.infer<typeof Price>;

/** How many agents may be alive at once, and what the machine must have left before another is started. */
export const Capacity = z.strictObject({
  /** Agents of this sprint. */
  sprint: z.number().int().min(1).optional(),
  /** Agents of all sprints on the shell's machine. */
  host: z.number().int().min(1).optional(),
  /** Agents of all sprints per framework. */
  frameworks: z.record(z.string(), z.number().int().min(1)).optional(),
  /** Mebibytes of memory that must be available. */
  min_memory_mb: z.number().int().min(0).optional(),
  /** Mebibytes that must be free where the worktrees lie. */
  min_disk_mb: z.number().int().min(0).optional(),
  /** One-minute load average per core above which nothing is started. */
  max_load_per_core: z.number().positive().optional(),
});
export type Capacity = z.infer<typeof Capacity>;

const Argv = z
  .array(z.string().refine((word) => !word.includes('\0'), 'expected no NUL'))
  .min(1)
  .refine(([program = '']) => program.trim() !== '', 'expected a program as first word');

/** Milliseconds a hook may take where nothing else is said. */
export const HOOK_TIMEOUT_MS = 60_000;

/** What a worktree is given, and the commands that are run around its life and its agents' runs; each is an argv, run in the worktree. */
export const Workspace = z.strictObject({
  hooks: z
    .strictObject({
      /** Once, when the worktree was made; its failure undoes the start. */
      after_create: Argv.optional(),
      /** Before each run; its failure fails the attempt. */
      before_run: Argv.optional(),
      /** After each run, however it ended; its failure is only noted. */
      after_run: Argv.optional(),
      /** Before the worktree is removed; its failure is only noted. */
      before_remove: Argv.optional(),
    })
    .optional(),
  /** Milliseconds a hook may take, at most a day; 60 000 when absent. */
  hook_timeout_ms: z.number().int().min(1).max(86_400_000).optional(),
  /** Ports leased to each worktree, in one block: variables CALORON_PORT_FIRST and CALORON_PORT_COUNT. */
  ports: z.number().int().min(1).max(1000).optional(),
  /** Whether each worktree has a cache directory of its own: variable CALORON_CACHE_DIR. */
  cache: z.boolean().optional(),
});
export type Workspace = z.infer<typeof Workspace>;

/** How agents are kept from the rest of the machine. */
export const Isolation = z.strictObject({
  /** `auto` uses bubblewrap where it works, `require` starts no agent without it, `off` never does. */
  sandbox: z.enum(['auto', 'require', 'off']).optional(),
  /** `host` shares the machine's network, `none` has loopback alone. */
  network: z.enum(['host', 'none']).optional(),
  /** Further absolute paths an agent may read. */
  readable: z.array(z.string()).optional(),
  /** Further absolute paths an agent may write. */
  writable: z.array(z.string()).optional(),
});
export type Isolation = z.infer<typeof Isolation>;

/** The settings of caloron.json that a sprint freezes as they are; each has its default where it is used. */
export const SprintPolicy = {
  /** Whether a merge needs proof that the verify commands passed on the very head; true when absent and there are verify commands. */
  require_receipt: z.boolean().optional(),
  /** Whether a head is rebased before its merge when the base branch has moved on; false when absent: then it is only shown. */
  require_up_to_date: z.boolean().optional(),
  budget: Budget.optional(),
  /** By model name, as the agent's program tells it; `default` is for any other. */
  prices: z.record(z.string(), Price).optional(),
  capacity: Capacity.optional(),
  workspace: Workspace.optional(),
  isolation: Isolation.optional(),
};
