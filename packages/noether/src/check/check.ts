import type { Graph, Policy, StageNode } from '../graph/ast.ts';
import type { Json } from '../ports.ts';
import type { Catalog, CatalogStage } from '../stage/catalog.ts';
import { type NType, TEXT } from '../types/ntype.ts';
import { type InputBranch, checkBranches } from './branch-input.ts';
import { checkInputValue } from './check-input.ts';
import { infer } from './infer.ts';
import { staticCents } from './plan.ts';
import { checkPolicy } from './policy.ts';
import type { CheckReport } from './problem.ts';
import { reportOf } from './report.ts';
import { Checking } from './state.ts';

/** What a check goes by beyond the graph. */
export interface CheckOptions {
  /** The value the graph is to be run on. */
  readonly input?: Json;
  /** A policy besides the graph's own; both bind. */
  readonly policy?: Policy | null;
  /** Most the graph may cost by what its stages declare, cents; null is no limit. */
  readonly budget_cents?: number | null;
}

/** A report with what the runner needs of it. Nothing in it depends on the input when none was given: it may be kept. */
export interface Checked {
  readonly report: CheckReport;
  /** The type of the graph's input; Any where nothing is needed of it. */
  readonly input: NType;
  /** Branches of Parallels over the graph's input that it decides for. */
  readonly branches: readonly InputBranch[];
  /** The graph's own policy and the caller's. */
  readonly policies: readonly Policy[];
  /** The stage each node means. */
  readonly stages: ReadonlyMap<StageNode, CatalogStage>;
  /** The stages a node's config names, by the text it names them with; for nodes whose stage calls others. */
  readonly callees: ReadonlyMap<StageNode, ReadonlyMap<string, CatalogStage>>;
  /** Warnings that concern every run: deprecated stages and unused config. */
  readonly notices: readonly string[];
}

/** Checks a graph: resolution, types of every edge, literals, effects, capabilities and policies. Every problem is listed. */
export function checkGraph(graph: Graph, catalog: Catalog, options: CheckOptions = {}): CheckReport {
  return check(graph, catalog, options).report;
}

/** {@link checkGraph}, and the stages it resolved. */
export function check(graph: Graph, catalog: Catalog, options: CheckOptions = {}): Checked {
  const checking = new Checking(catalog);
  const input = checking.solver.fresh();
  const output = infer(graph.root, 'root', input, { kind: 'input', index: 0 }, checking);
  needLeaseFields(graph, input, checking);
  const branches = checkBranches(input, checking);
  const policies = [graph.policy, options.policy ?? null].filter((policy) => policy !== null);
  for (const policy of policies) checkPolicy(graph.root, policy, checking);
  if (typeof options.budget_cents === 'number') checkBudget(graph, options.budget_cents, checking);
  const { stages, callees, warnings: notices } = checking;
  const needed = checking.solver.resolve(input);
  if (options.input !== undefined)
    checking.problems.push(...checkInputValue({ input: needed, branches, policies }, options.input));
  const report = reportOf(graph, { input: needed, output }, checking);
  return { report, input: needed, branches, policies, stages, callees, notices };
}

/** Fields of the input a lease's name is filled from. */
export function leaseFields(name: string): readonly string[] {
  return [...name.matchAll(/\{([^{}]+)\}/gu)].map((match) => match[1] ?? '');
}

function needLeaseFields(graph: Graph, input: NType, checking: Checking): void {
  for (const field of leaseFields(graph.lease?.name ?? '')) {
    const type = checking.solver.fieldOf(input, field);
    const reason = type ? checking.solver.fits(type, TEXT) : 'the input has no such field';
    if (reason !== null)
      checking.problem('lease.name', 'GRAPH_LEASE_INVALID', `\`{${field}}\`: ${reason}`, {
        expected: 'Text',
      });
  }
}

function checkBudget(graph: Graph, budget: number, checking: Checking): void {
  const cents = staticCents(graph.root, checking);
  if (cents <= budget) return;
  const message = `estimated composition cost (${cents}¢) exceeds budget (${budget}¢)`;
  checking.problem('root', 'GRAPH_BUDGET_EXCEEDED', message, {
    kind: 'CostBudgetExceeded',
    expected: `at most ${budget}¢`,
    actual: `${cents}¢`,
  });
}
