import { z } from 'zod';

import { type Budget, type BudgetLimit, Price } from './policy.ts';
import { Timestamp } from './time.ts';
import { Spent, Usage } from './usage.ts';

const whole = z.number().int().min(0);

/** Amounts that limits are counted in: tokens, micro-dollars, milliseconds of wall clock. An absent one does not bind. */
export const Amounts = z.strictObject({
  tokens: whole.optional(),
  micro_usd: whole.optional(),
  ms: whole.optional(),
});
export type Amounts = z.infer<typeof Amounts>;

/** What a limit counts. */
export const AmountKind = z.enum(['tokens', 'micro_usd', 'ms']);
export type AmountKind = z.infer<typeof AmountKind>;

/** Whose limit it is: of one run of an agent, of a task over all its runs, of the sprint. */
export const BudgetScope = z.enum(['agent', 'task', 'sprint']);
export type BudgetScope = z.infer<typeof BudgetScope>;

/** One run of an agent on a task, as its money is concerned. */
export const RunSpending = z.strictObject({
  role: z.enum(['author', 'reviewer']),
  attempt: z.number().int().min(1).nullable(),
  /** The action that starts it; null when only its process was heard of. */
  action_id: z.string().nullable(),
  /** Null until it was started. */
  process_id: z.string().min(1).nullable(),
  /** Kept for it of the limits until it is over. */
  reserved: Amounts,
  /** The furthest it was heard of, by reports and ends; what it uses meanwhile is not kept. */
  usage: Usage,
  ms: whole,
  over: z.boolean(),
});
export type RunSpending = z.infer<typeof RunSpending>;

/** A limit that is used up. */
export const OverLimit = z.strictObject({
  scope: BudgetScope,
  kind: AmountKind,
  limit: whole,
  used: whole,
});
export type OverLimit = z.infer<typeof OverLimit>;

/** The limits one run is held to by its own harness, as they were at its start. */
export const RunBudget = z.strictObject({
  /** Of this run. */
  agent: Amounts,
  /** Of its task over all runs. */
  task: Amounts,
  /** What the task's other runs have used. */
  used: Spent,
  prices: z.record(z.string(), Price),
});
export type RunBudget = z.infer<typeof RunBudget>;

/** A used-up limit that a person is asked about; an answer counts for this one alone. */
export const Breach = z.strictObject({
  /** Counted from 1 in its task, or in the sprint. */
  n: z.number().int().min(1),
  at: Timestamp,
  /** The task on whose issue it is asked. */
  task_id: z.string(),
  over: z.array(OverLimit).min(1),
  /** The comment that asks, once it is written. */
  comment_id: z.number().int().positive().optional(),
});
export type Breach = z.infer<typeof Breach>;

/** An answer: who allowed what, of which breach. */
export const Approval = z.strictObject({ n: z.number().int().min(1), by: z.string(), at: Timestamp });
export type Approval = z.infer<typeof Approval>;

/** Breaches and raised limits of a task or of the sprint. */
const asked = {
  /** Breaches so far. */
  breaches: whole,
  /** The one nobody has answered. */
  breach: Breach.nullable(),
  /** The latest answer. */
  approved: Approval.nullable(),
};

/** What a task's budget has come to. */
export const TaskBudget = z.strictObject({
  ...asked,
  /** Limits that an approval raised. */
  agent: Amounts,
  task: Amounts,
  /** Runs that were told to pause, and when. */
  pausing: z.array(z.strictObject({ process_id: z.string().min(1), at: Timestamp })),
  /** Where the task goes on from; null while it is not stopped for its budget. */
  from: z
    .strictObject({
      status: z.enum(['Ready', 'InProgress', 'InReview']),
      status_reason: z.string().nullable(),
    })
    .nullable(),
});
export type TaskBudget = z.infer<typeof TaskBudget>;

/** What the sprint's budget has come to. */
export const SprintBudget = z.strictObject({ ...asked, sprint: Amounts });
export type SprintBudget = z.infer<typeof SprintBudget>;

const KINDS = AmountKind.options;

/** A setting's limit in whole units. */
export function amountsOf(limit: BudgetLimit | undefined): Amounts {
  const { tokens, cost_usd, minutes } = limit ?? {};
  return {
    ...(tokens === undefined ? {} : { tokens }),
    ...(cost_usd === undefined ? {} : { micro_usd: Math.max(1, Math.round(cost_usd * 1e6)) }),
    ...(minutes === undefined ? {} : { ms: Math.max(1, Math.round(minutes * 60_000)) }),
  };
}

/** What a sprint's budget binds in one scope, with what approvals raised. */
export function limitsOf(budget: Budget | undefined, scope: BudgetScope, raised: Amounts = {}): Amounts {
  return { ...amountsOf(budget?.[scope]), ...raised };
}

/** The limits that are used up, in the order of their kinds. */
export function overOf(scope: BudgetScope, limits: Amounts, used: Spent): OverLimit[] {
  return KINDS.flatMap((kind) => {
    const limit = limits[kind];
    return limit === undefined || used[kind] < limit ? [] : [{ scope, kind, limit, used: used[kind] }];
  });
}

/** An amount in words: `12 000 tokens`, `$1.5`, `20 min`. */
export function amountWords(kind: AmountKind, amount: number): string {
  if (kind === 'tokens') return `${String(amount).replaceAll(/\B(?=(\d{3})+$)/g, ' ')} tokens`;
  if (kind === 'micro_usd') return `$${(amount / 1e6).toFixed(amount % 10_000 === 0 ? 2 : 6)}`;
  return `${Number((amount / 60_000).toFixed(amount < 600_000 ? 2 : 0))} min`;
}

const WHOSE = { agent: 'one run', task: 'the task', sprint: 'the sprint' } as const;

/** A used-up limit in words. */
export function overWords({ scope, kind, limit, used }: OverLimit): string {
  return `${WHOSE[scope]} has used ${amountWords(kind, used)} of ${amountWords(kind, limit)}`;
}
