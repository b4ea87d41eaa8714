import type { GraphNode } from '../graph/ast.ts';
import { walk } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import { hasVariables } from '../types/subtype.ts';
import { childTypes } from '../types/children.ts';
import { ANY, type NType } from '../types/ntype.ts';
import { isObject } from '../types/value.ts';
import { type OperatorCase, asksFor } from './operator-case.ts';
import { graphOf } from './original-facts.ts';

/** Something we do otherwise than the original on purpose, and the cases and fields it can show in. */
export interface Fix {
  /** What we do, as the documents say it. */
  readonly fix: string;
  readonly fields: readonly string[];
  readonly touches: (seen: Seen) => boolean;
}

/** What there is in a case. */
interface Seen {
  readonly test: OperatorCase;
  readonly ops: ReadonlySet<GraphNode['op']>;
  readonly nodes: readonly GraphNode[];
  /** Types of its stages and remote stages. */
  readonly types: readonly NType[];
}

const VERDICT = ['check', 'check_errors', 'check_error_display'];
const RUN = ['output', 'error', 'calls', 'received', 'trace', 'cache', 'spent_cents'];

/** The fixes of the design, and of decision 6. A case differs only where one of them touches it. */
export const FIXES: readonly Fix[] = [
  {
    fix: 'Retry sleeps `delay_ms`',
    fields: ['max_wall_ms'],
    touches: ({ nodes }) => nodes.some((node) => node.op === 'Retry' && (node.delay_ms ?? 0) > 0),
  },
  {
    fix: 'Retry never repeats what another attempt cannot cure: resolution, types, budget',
    fields: RUN,
    touches: ({ test, ops }) =>
      ops.has('Retry') &&
      /StageNotFound|BudgetExceeded|refinement/u.test(JSON.stringify(test.expect['error'] ?? null)),
  },
  {
    fix: 'Fanout and Merge run concurrently',
    fields: RUN,
    touches: ({ test, ops }) => (ops.has('Fanout') || ops.has('Merge')) && mayFail(test),
  },
  {
    fix: 'branches and bindings share the cache of their run',
    fields: RUN,
    touches: ({ test, ops }) => asksFor(test, 'memoize') && (ops.has('Parallel') || ops.has('Let')),
  },
  {
    fix: 'a retried success is a success',
    fields: ['trace_status'],
    touches: ({ test, ops }) => ops.has('Retry') && 'output' in test.expect,
  },
  {
    fix: 'traces keep every attempt, of failed branches too',
    fields: ['trace'],
    touches: ({ ops }) => ops.has('Retry') && (ops.has('Parallel') || ops.has('Let')),
  },
  {
    fix: 'a crash is an error of its stage, wherever it happens',
    fields: ['error'],
    touches: ({ test }) => Object.values(test.stages ?? {}).some(({ behaviour }) => behaviour.do === 'panic'),
  },
  {
    fix: 'nothing is rewritten before a run: Retry of no attempts runs nothing, Branch on a literal stays',
    fields: [...RUN, 'optimized_root', 'optimizer', 'passes_applied', 'iterations', 'hit_cap'],
    touches: ({ test }) => asksFor(test, 'optimize'),
  },
  {
    fix: 'types are enforced at the edge of every stage, at any depth',
    fields: RUN,
    touches: ({ types }) => types.some((type) => mentions(type, 'Refined')),
  },
  {
    fix: 'signature ids, names and prefixes resolve everywhere',
    fields: [...VERDICT, ...RUN, 'effects', 'resolve_error', 'resolved_root', 'pin_rewrites'],
    touches: ({ test, nodes }) =>
      nodes.some(
        (node) =>
          node.op === 'Stage' &&
          !Object.entries(test.stages ?? {}).some(([key, { id = key }]) => id === node.id),
      ),
  },
  {
    fix: 'a deprecated stage warns and its successor runs',
    fields: [
      ...VERDICT,
      ...RUN,
      'warnings',
      'warning_display',
      'effects',
      'resolve_error',
      'resolved_root',
      'pin_rewrites',
      'dep_rewrites',
    ],
    touches: ({ test }) =>
      Object.values(test.stages ?? {}).some(({ lifecycle }) => typeof lifecycle === 'object'),
  },
  {
    fix: 'a stage that is a Draft can be tried by its id; a Tombstone is unknown',
    fields: [...VERDICT, ...RUN, 'resolve_error', 'resolved_root', 'pin_rewrites'],
    touches: ({ test }) =>
      Object.values(test.stages ?? {}).some(
        ({ lifecycle }) => lifecycle === 'Draft' || lifecycle === 'Tombstone',
      ),
  },
  { fix: 'Const literals are checked', fields: VERDICT, touches: ({ ops }) => ops.has('Const') },
  { fix: 'Branch arms are checked', fields: VERDICT, touches: ({ ops }) => ops.has('Branch') },
  { fix: 'Let bodies are checked', fields: VERDICT, touches: ({ ops }) => ops.has('Let') },
  {
    fix: 'config values are checked',
    fields: [...VERDICT, 'warnings', 'warning_display'],
    touches: ({ nodes }) => nodes.some((node) => node.op === 'Stage' && node.config !== null),
  },
  {
    fix: 'a branch is checked on what it gets at run time',
    fields: VERDICT,
    touches: ({ ops }) => ops.has('Parallel') || ops.has('Merge'),
  },
  {
    fix: 'type variables are fresh per node, keep subtyping, and are Any where nothing is known',
    fields: VERDICT,
    touches: ({ types }) => types.some(hasVariables),
  },
  {
    fix: 'a refined type fits a union that holds it, and known values fit where each of them lies',
    fields: VERDICT,
    touches: ({ types }) => types.some((type) => mentions(type, 'Refined')),
  },
  {
    fix: 'what costs more than its budget by what its stages declare is refused, not warned about',
    fields: [...VERDICT, 'warnings', 'warning_display'],
    touches: ({ test }) => test.kind === 'check' && test.budget_cents !== undefined,
  },
  {
    fix: 'allow-lists do not fail open, and speak of the policy of the graph',
    fields: [
      'effect_violations',
      'effect_violation_messages',
      'capability_violations',
      'capability_violation_messages',
    ],
    touches: ({ test }) => test.allow_effects !== undefined || test.allow_capabilities !== undefined,
  },
];

/** The fixes that may change a field of a case. */
export function fixesFor(test: OperatorCase, field: string): readonly Fix[] {
  const seen = seenIn(test);
  return seen ? FIXES.filter((fix) => fix.fields.includes(field) && fix.touches(seen)) : [];
}

function seenIn(test: OperatorCase): Seen | null {
  if (test.graph_text !== undefined) return null;
  const nodes = [...walk(graphOf(test).root)].map(({ node }) => node);
  const stages = Object.values(test.stages ?? {}).flatMap(({ input, output }) => [
    input ?? ANY,
    output ?? ANY,
  ]);
  const remote = nodes.flatMap((node) => (node.op === 'RemoteStage' ? [node.input, node.output] : []));
  return { test, nodes, ops: new Set(nodes.map(({ op }) => op)), types: [...stages, ...remote] };
}

/** Whether a failure can be met, so that it matters what else was begun. */
function mayFail({ expect: wanted, stages = {} }: OperatorCase): boolean {
  return 'error' in wanted || Object.values(stages).some(({ behaviour }) => behaviour.do.startsWith('fail'));
}

function mentions(type: NType, kind: NType['kind']): boolean {
  return type.kind === kind || childTypes(type).some((inner) => mentions(inner, kind));
}

/** One entry of the file of our behaviour. */
export interface Ours {
  readonly why: string;
  /** What we do, by the field of `expect`. */
  readonly expect: { readonly [field: string]: Json };
}

/** Whether an entry says more than `same`. */
export function isDecided(entry: unknown): entry is Ours {
  return isObject(entry) && typeof entry['why'] === 'string' && isObject(entry['expect']);
}
