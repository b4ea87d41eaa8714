import pLimit from 'p-limit';

import type { StageNode } from '../graph/ast.ts';
import type { StepFinished } from '../ports.ts';
import type { RunContext } from '../run/context.ts';
import { Memo } from '../run/memo.ts';
import { redactor } from '../run/redact.ts';
import { Tracing } from '../run/tracing.ts';
import { Ending } from '../run/wait.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { type OperatorCase, asksFor } from './operator-case.ts';

/** What a trace tells of one call. */
export type BareStep = Pick<StepFinished, 'path' | 'stage_id' | 'status'>;

/** A context of nothing but a runner, as the cases were recorded: no check, no lease, no clock, no clients. */
export function bareContext(
  test: OperatorCase,
  stages: readonly CatalogStage[],
  stageOf: (node: StageNode) => CatalogStage,
): RunContext {
  const { signal } = new AbortController();
  const names = stages.flatMap(({ stage }) => stage.capabilities);
  return {
    run_id: 'run',
    calledBy: (node) => ({ entry: stageOf(node), callees: null }),
    capabilities: Object.fromEntries(names.map((name) => [name, {}])),
    cache: null,
    memo: asksFor(test, 'memoize') ? new Memo(null, { has: () => true }) : null,
    limit: pLimit(8),
    budget: { spent_cents: 0, limit_cents: test.budget_cents ?? null },
    signal,
    ending: new Ending(signal),
    breathe: () => undefined,
    fetch: globalThis.fetch,
    credentials: () => null,
    tracing: null,
    observe: null,
  };
}

/** The context with every call told to `note`. */
export function withSteps(run: RunContext, note: (step: BareStep) => void): RunContext {
  const clock = { now: (): string => '' };
  return {
    ...run,
    tracing: new Tracing({ run_id: run.run_id, clock, write: note, values: false, hide: redactor([]) }),
  };
}
