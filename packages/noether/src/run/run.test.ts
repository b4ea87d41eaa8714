import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { CodedError } from '../errors.ts';
import { parseGraph } from '../graph/parse.ts';
import type { Json, LeaseGrant, Leases, RunFinished, StepFinished, TraceSink } from '../ports.ts';
import { buildCatalog } from '../stage/catalog.ts';
import { stageKit } from '../stage/define-stage.ts';
import { type RunOptions, type RunResult, runGraph } from './run.ts';

interface Capabilities {
  readonly 'kv.read': { readonly kv: { get(key: string): string } };
  readonly 'kv.write': { readonly kv: { put(key: string, value: string): void } };
  readonly act: { readonly act: (input: Json, signal: AbortSignal | undefined) => Promise<Json> | Json };
}

const defineStage = stageKit<Capabilities>();

/** Hands its input to what the test provides. */
const act = {
  ...defineStage({
    name: 'act',
    description: 'Acts.',
    effects: ['Fallible'],
    capabilities: ['act'],
    input: z.json(),
    output: z.json(),
    examples: [{ input: null, output: null }],
    run: () => null,
  }),
  run: (input: unknown, context: object, signal?: AbortSignal) =>
    (context as Capabilities['act']).act(input as Json, signal),
};
const copy = defineStage({
  name: 'copy_key',
  description: 'Copies.',
  effects: ['Fallible'],
  capabilities: ['kv.read', 'kv.write'],
  input: z.strictObject({ from: z.string(), to: z.string(), note: z.string().nullable() }),
  output: z.strictObject({ value: z.string(), note: z.string().optional() }),
  examples: [{ input: { from: 'a', to: 'b', note: null }, output: { value: '' } }],
  run: ({ from, to, note }, { kv }) => {
    kv.put(to, kv.get(from));
    return { value: kv.get(to), note: note ?? undefined };
  },
});
let pureCalls = 0;
const double = defineStage({
  name: 'double',
  description: 'Doubles.',
  effects: ['Pure'],
  input: z.object({ n: z.number(), now: z.string().optional() }),
  output: z.number(),
  examples: [{ input: { n: 1 }, output: 2 }],
  run: ({ n }) => {
    pureCalls += 1;
    return n * 2;
  },
});
const catalog = buildCatalog(
  [act, copy, double].map((stage) => ({ stage, archive: { 'a.ts': stage.name } })),
);

const stage = (id: string, config?: Json): Json => ({
  op: 'Stage',
  id,
  ...(config !== undefined && { config }),
});

interface Traced extends TraceSink {
  readonly steps: StepFinished[];
  readonly finished: RunFinished[];
}

function sink(): Traced {
  const steps: StepFinished[] = [];
  const finished: RunFinished[] = [];
  return {
    steps,
    finished,
    runStarted: () => undefined,
    stepFinished: (step) => void steps.push(step),
    runFinished: (run) => void finished.push(run),
  };
}

function run(
  root: Json,
  input: Json,
  options: Partial<RunOptions> & { act?: Capabilities['act']['act']; graph_fields?: object } = {},
): Promise<RunResult> {
  const graph = parseGraph({ description: '', version: '', root, ...options.graph_fields }, 'g');
  return runGraph({
    graph,
    graph_name: 'g',
    input,
    catalog,
    capabilities: () => ({ act: { act: options.act ?? ((value: Json) => value) } }),
    clock: { now: () => '2026-01-01T00:00:00.000Z' },
    uuid: () => 'run-1',
    ...options,
  });
}

describe('a stage', () => {
  it('has the members of every capability it names on one client, bound to where they came from', async () => {
    class Store {
      readonly rows = new Map([['a', '1']]);
      get(key: string): string {
        return this.rows.get(key) ?? '';
      }
      put(key: string, value: string): void {
        this.rows.set(key, value);
      }
    }
    const kv = new Store();
    const both = { 'kv.read': { kv: { get: (key: string) => kv.get(key) } }, 'kv.write': { kv } };

    const result = await run(
      stage('copy_key'),
      { from: 'a', to: 'b', wider: true },
      { capabilities: () => both },
    );

    expect(result).toMatchObject({ ok: true, output: { value: '1' } });
    expect(result.ok && result.output).toEqual({ value: '1' });
  });

  it('without a client for its capability refuses the run before anything ran', async () => {
    const result = await run(stage('act'), 1, { capabilities: () => ({}) });

    expect(result).toMatchObject({
      ok: false,
      status: 'refused',
      error: { code: 'STAGE_CAPABILITY_MISSING', path: 'root' },
    });
  });

  it('that throws keeps its own code and hint', async () => {
    const thrown = new CodedError<{ FORGE_DOWN: object }>('FORGE_DOWN', {}, 'no answer', {
      hint: 'try again',
      retryable: true,
    });
    const result = await run({ op: 'Sequential', stages: [stage('act'), stage('act')] }, 1, {
      act: () => Promise.reject(thrown),
    });

    expect(result).toMatchObject({
      status: 'failed',
      error: {
        code: 'FORGE_DOWN',
        path: 'root.stages[0]',
        hint: 'try again',
        message: 'root.stages[0]: stage act failed: no answer',
        said: 'no answer',
      },
    });
  });

  it('that says there is nothing to do now skips the run, with its reason in the trace', async () => {
    const trace = sink();
    const thrown = new CodedError<{ BUSY: object }>('BUSY', {}, 'another one is open', { skips: true });
    const result = await run(stage('act'), 1, {
      act: () => Promise.reject(thrown),
      trace,
    });

    expect(result).toMatchObject({ ok: false, status: 'skipped', error: { code: 'BUSY' } });
    expect(trace.finished).toMatchObject([
      { status: 'skipped', output_hash: null, error: { code: 'BUSY', path: 'root' } },
    ]);
  });

  it('that answers with what JSON cannot carry fails', async () => {
    const result = await run(stage('act'), 1, { act: () => ({ at: new Map() }) as unknown as Json });

    expect(result).toMatchObject({ status: 'failed', error: { code: 'STAGE_OUTPUT_INVALID' } });
  });
});

describe('Retry', () => {
  afterEach(() => void vi.useRealTimers());

  it('waits between attempts, growing by its factor up to its limit', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const times: number[] = [];
    const root: Json = {
      op: 'Retry',
      stage: stage('act'),
      max_attempts: 4,
      delay_ms: 20,
      backoff: 10,
      max_delay_ms: 40,
    };
    const over = { yet: false };
    const running = run(root, 1, {
      act: () => {
        times.push(performance.now());
        if (times.length < 4) throw new Error('not yet');
        return 'done';
      },
    }).finally(() => (over.yet = true));
    while (!over.yet) await vi.advanceTimersByTimeAsync(1);

    const result = await running;
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(result).toMatchObject({ ok: true, output: 'done' });
    expect(waits).toEqual([20, 40, 40]);
  });

  it('leaves an output its schema refuses alone', async () => {
    const given = vi.fn(() => undefined as unknown as Json);
    const result = await run({ op: 'Retry', stage: stage('act'), max_attempts: 3 }, 1, { act: given });

    expect(result).toMatchObject({ ok: false, error: { code: 'STAGE_OUTPUT_INVALID' } });
    expect(given).toHaveBeenCalledTimes(1);
  });

  it('traces each attempt, and its success is a success', async () => {
    const trace = sink();
    let calls = 0;
    await run({ op: 'Retry', stage: stage('act'), max_attempts: 2 }, 1, {
      trace,
      act: () => {
        calls += 1;
        if (calls === 1) throw new Error('boom');
        return 1;
      },
    });

    expect(trace.steps.map(({ attempt, status, path }) => [attempt, status, path])).toEqual([
      [1, 'failed', 'root.stage'],
      [2, 'ok', 'root.stage'],
    ]);
    expect(trace.finished).toMatchObject([{ status: 'ok', error: null }]);
  });
});

describe('children that run at once', () => {
  it('are bounded over the whole run', async () => {
    let running = 0;
    let most = 0;
    const each: Json = { op: 'Map', over: 'xs', as: 'x', concurrency: 8, stage: stage('act') };
    const root: Json = { op: 'Let', bindings: { a: each, b: each }, body: { op: 'Const', value: 1 } };
    await run(
      root,
      { xs: [1, 2, 3, 4, 5, 6] },
      {
        concurrency: 3,
        act: async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 2));
          running -= 1;
          return null;
        },
      },
    );

    expect(most).toBe(3);
  });

  it('fail with the error of the first in order, whichever failed first', async () => {
    const root: Json = {
      op: 'Fanout',
      source: { op: 'Const', value: null },
      targets: [stage('act', { n: 0 }), stage('act', { n: 1 })],
    };
    const result = await run(root, null, {
      act: async (input) => {
        const { n } = input as { n: number };
        await new Promise((resolve) => setTimeout(resolve, n === 0 ? 10 : 0));
        throw new Error(`from ${n}`);
      },
    });

    expect(result).toMatchObject({
      error: { path: 'root.targets[0]', message: expect.stringContaining('from 0') as string },
    });
  });
});

describe('Map', () => {
  const each = (more: object): Json => ({ op: 'Map', over: 'xs', as: 'x', stage: stage('act'), ...more });
  const odd = (input: Json): Json => {
    const { x } = input as { x: number };
    if (x % 2 === 0) throw new Error(`even ${x}`);
    return x;
  };

  it('fails with the first item that failed and begins no further ones', async () => {
    const seen = vi.fn(odd);
    const result = await run(each({}), { xs: [1, 2, 3, 4] }, { act: seen });

    expect(result).toMatchObject({ ok: false, error: { path: 'root.stage[1]' } });
    expect(seen).toHaveBeenCalledTimes(2);
  });

  it('collects results and errors when asked', async () => {
    const result = await run(each({ on_error: 'collect', concurrency: 4 }), { xs: [1, 2, 3] }, { act: odd });

    expect(result).toMatchObject({
      output: {
        results: [1, 3],
        errors: [{ index: 1, code: 'STAGE_FAILED', message: expect.stringContaining('even 2') as string }],
      },
    });
  });

  it('refuses an input without its list', async () => {
    expect(await run(each({}), { xs: null })).toMatchObject({
      status: 'refused',
      error: { code: 'GRAPH_INPUT_INVALID', path: 'input.xs' },
    });
  });
});

describe('a pure stage', () => {
  const twice: Json = {
    op: 'Let',
    bindings: { a: stage('double'), b: stage('double') },
    body: { op: 'Project', fields: { a: { path: 'a' }, b: { path: 'b' } } },
  };

  it('runs once for the same declared input, and later runs ask the cache', async () => {
    const rows = new Map<string, Json>();
    const cache = {
      get: (id: string, hash: string) => rows.get(id + hash),
      put: (id: string, hash: string, output: Json) => void rows.set(id + hash, output),
    };
    const trace = sink();
    pureCalls = 0;

    const first = await run(twice, { n: 4, ignored: 1 }, { cache, trace });
    await run(twice, { n: 4, ignored: 2 }, { cache });

    expect(first).toMatchObject({ output: { a: 8, b: 8 } });
    expect(trace.steps.map(({ status }) => status).sort()).toEqual(['cached', 'ok']);
    expect([pureCalls, rows.size]).toEqual([1, 1]);
  });

  it('is not kept beyond the run when its input holds an instant', async () => {
    const put = vi.fn();

    await run(twice, { n: 4, now: '2026' }, { cache: { get: () => undefined, put } });

    expect(put).not.toHaveBeenCalled();
  });
});

function memoryLeases(more: Partial<Leases> = {}): Leases & { readonly held: Map<string, LeaseGrant> } {
  const held = new Map<string, LeaseGrant>();
  return {
    held,
    acquire: (name, holder) => {
      if (held.has(name)) return Promise.resolve(null);
      const grant = { name, holder, fence: 1 };
      held.set(name, grant);
      return Promise.resolve(grant);
    },
    renew: () => Promise.resolve(true),
    release: ({ name }) => Promise.resolve(void held.delete(name)),
    ...more,
  };
}

describe('the lease of a graph', () => {
  const graph_fields = { lease: { name: 'tick:{id}', ttl_ms: 1000, renew_ms: 5 } };

  it('is held while stages run, handed to the capabilities, and given back', async () => {
    const leases = memoryLeases();
    const seen: unknown[] = [];
    const result = await run(
      stage('act'),
      { id: 's1' },
      {
        leases,
        graph_fields,
        capabilities: ({ lease }) => {
          seen.push(lease?.name, lease?.holder, leases.held.size);
          return { act: { act: () => 1 } };
        },
      },
    );

    expect(result).toMatchObject({ ok: true });
    expect(seen).toEqual(['tick:s1', 'run-1', 1]);
    expect(leases.held.size).toBe(0);
  });

  it('of another run ends this one as skipped', async () => {
    const leases = memoryLeases();
    await leases.acquire('tick:s1', 'other', 1);
    const trace = sink();

    const result = await run(stage('act'), { id: 's1' }, { leases, graph_fields, trace });

    expect(result).toMatchObject({ ok: true, status: 'skipped', output: { status: 'skipped' } });
    expect(trace.finished).toMatchObject([{ status: 'skipped' }]);
    expect(leases.held.get('tick:s1')?.holder).toBe('other');
  });

  it('when lost stops the run, even inside a stage that does not listen', async () => {
    const leases = memoryLeases({ renew: () => Promise.resolve(false) });

    const result = await run(
      stage('act'),
      { id: 's1' },
      { leases, graph_fields, act: () => new Promise(() => undefined) },
    );

    expect(result).toMatchObject({ ok: false, status: 'failed', error: { code: 'GRAPH_LEASE_LOST' } });
    expect(leases.held.size).toBe(0);
  });

  it('survives a store that is busy for a moment', async () => {
    let turns = 0;
    const renew = (): Promise<boolean> => {
      turns += 1;
      return turns === 1 ? Promise.reject(new Error('busy')) : Promise.resolve(true);
    };
    const act = async (): Promise<Json> => {
      await vi.waitFor(() => expect(turns).toBeGreaterThan(2), { timeout: 30_000 });
      return 'done';
    };

    expect(
      await run(stage('act'), { id: 's1' }, { leases: memoryLeases({ renew }), graph_fields, act }),
    ).toMatchObject({ output: 'done' });
  });

  it('needs a runner that keeps leases', async () => {
    expect(await run(stage('act'), { id: 's1' }, { graph_fields })).toMatchObject({
      status: 'refused',
      error: { code: 'GRAPH_LEASE_INVALID' },
    });
  });
});

describe('a run', () => {
  it('that is interrupted or out of time fails at once, and tells its stages', async () => {
    const control = new AbortController();
    let told = false;
    const endless = (_input: Json, signal: AbortSignal | undefined): Promise<Json> => {
      signal?.addEventListener('abort', () => (told = true));
      setTimeout(() => control.abort(), 5);
      return new Promise(() => undefined);
    };

    expect(await run(stage('act'), 1, { signal: control.signal, act: endless })).toMatchObject({
      status: 'failed',
      error: { code: 'GRAPH_RUN_ABORTED' },
    });
    expect(told).toBe(true);
    expect(await run(stage('act'), 1, { timeout_ms: 5, act: endless })).toMatchObject({
      error: { message: expect.stringContaining('deadline of 5 ms') as string },
    });
  });

  it('with problems is refused with all of them, and traced', async () => {
    const trace = sink();
    const root: Json = { op: 'Sequential', stages: [stage('dubble'), stage('nothing_like_it')] };

    const result = await run(root, 1, { trace });

    expect(result).toMatchObject({ status: 'refused', error: { code: 'GRAPH_REFUSED' } });
    expect(result.ok ? [] : result.error.problems?.map(({ nearest }) => nearest)).toEqual(['double', null]);
    expect(trace.finished).toMatchObject([{ status: 'refused', error: { code: 'GRAPH_REFUSED' } }]);
    expect(trace.steps).toEqual([]);
  });

  it('does not fail because its trace does', async () => {
    const broken = (): never => {
      throw new Error('disk full');
    };

    expect(
      await run(stage('act'), 1, {
        trace: { runStarted: broken, stepFinished: broken, runFinished: broken },
      }),
    ).toMatchObject({ ok: true, output: 1 });
  });

  it('is observed before and after each stage, and waits for the observer', async () => {
    const seen: string[] = [];
    const observe = async ({ kind, path }: { kind: string; path: string }): Promise<void> => {
      await Promise.resolve();
      seen.push(`${kind} ${path}`);
    };

    await run({ op: 'Sequential', stages: [stage('act'), stage('double', { n: 1 })] }, {}, { observe });

    expect(seen).toEqual([
      'before root.stages[0]',
      'after root.stages[0]',
      'before root.stages[1]',
      'after root.stages[1]',
    ]);
  });

  it('that would cost more than its budget stops before the call', async () => {
    const dear = { ...act, name: 'dear', effects: [{ effect: 'Cost', cents: 60 } as const] as const };
    const own = buildCatalog([{ stage: dear, archive: {} }]);
    const given = vi.fn(() => 1);

    const options = { catalog: own, budget_cents: 100, act: given };

    // How many items there are is not known before the run.
    const many = { op: 'Map', over: 'items', as: 'item', stage: stage('dear') };
    const result = await run(many, { items: [1, 2] }, options);
    expect(result).toMatchObject({ error: { code: 'GRAPH_BUDGET_EXCEEDED', path: 'root.stage[1]' } });
    expect(given).toHaveBeenCalledTimes(1);

    const two = await run({ op: 'Sequential', stages: [stage('dear'), stage('dear')] }, 1, options);
    expect(two).toMatchObject({ status: 'refused', error: { code: 'GRAPH_BUDGET_EXCEEDED' } });
    expect(given).toHaveBeenCalledTimes(1);
  });

  it('is traced once for each attempt, also when its observer fails after it', async () => {
    const trace = sink();
    const observe = ({ kind }: { kind: string }): void => {
      if (kind === 'after') throw new Error('no more');
    };

    expect(await run(stage('act'), 1, { trace, observe })).toMatchObject({ ok: false });
    expect(trace.steps.map(({ status }) => status)).toEqual(['ok']);
  });

  it('keeps no value that became huge by standing in itself', async () => {
    // Each node holds its input twice: 40 of them would be a million million texts.
    const twice = { op: 'Project', fields: { a: { path: '' }, b: { path: '' } } };
    const trace = sink();
    const root = {
      op: 'Sequential',
      stages: [...Array.from({ length: 40 }, () => twice), stage('act'), { op: 'Const', value: 'done' }],
    };
    const result = await run(root, 'text', {
      trace,
      trace_values: true,
      act: () => null,
      secrets: ['secret-text'],
    });

    expect(result).toMatchObject({ ok: true, output: 'done' });
    expect(trace.steps).toMatchObject([
      { input: { left_out_characters: expect.any(Number) as number }, output: null },
    ]);
  });

  it('shows no secret in what it says of its input', async () => {
    const secret = 'secret-of-the-caller';
    const root = { op: 'Map', over: 'xs', as: 'x', stage: stage('act') };
    const result = await run(root, { xs: secret }, { secrets: [secret] });

    expect(result).toMatchObject({ status: 'refused', error: { path: 'input.xs' } });
    expect(JSON.stringify(result)).not.toContain(secret);

    // A key of the input is a place in it.
    const bag = { op: 'Map', over: 'xs', as: 'x', stage: stage('double') };
    const placed = await run(bag, { xs: [{ n: 1 }, { n: secret, [secret]: 1 }] }, { secrets: [secret] });
    expect(placed).toMatchObject({ ok: false });
    expect(JSON.stringify(placed)).not.toContain(secret);
  });
});
