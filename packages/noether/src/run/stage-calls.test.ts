import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import type { Json } from '../ports.ts';
import { stageKit } from '../stage/define-stage.ts';
import { runnerOf, sink, stageNode } from '../testing/running.ts';

const defineStage = stageKit<Record<string, never>>();
let inc_calls = 0;
const inc = defineStage({
  name: 'inc',
  description: 'Adds one.',
  effects: ['Pure'],
  input: z.number(),
  output: z.number(),
  examples: [{ input: 1, output: 2 }],
  run: (n) => {
    inc_calls += 1;
    return n + 1;
  },
});
const each = defineStage({
  name: 'each',
  description: 'Calls a stage on every item.',
  effects: ['Pure'],
  input: z.strictObject({ items: z.array(z.json()), stage_id: z.string() }),
  output: z.array(z.json()),
  examples: [{ input: { items: [], stage_id: 'inc' }, output: [] }],
  references: { stage_id: { takes: 'items[]' } },
  run: ({ items, stage_id }, { stages }, signal) =>
    Promise.all(
      items.map((item, index) => stages.call(stage_id, item as Json, { index, ...(signal && { signal }) })),
    ) as Promise<never>,
});
const stray = defineStage({
  name: 'stray',
  description: 'Calls a stage its config does not name.',
  effects: ['Pure'],
  input: z.strictObject({ stage_id: z.string() }),
  output: z.json(),
  examples: [{ input: { stage_id: 'inc' }, output: null }],
  references: { stage_id: {} },
  run: (_input, { stages }) => stages.call('each', null) as Promise<never>,
});
const run = runnerOf([inc, each, stray]);

describe('a stage that calls stages', () => {
  it('runs them as nodes of their own, each once in the trace', async () => {
    const trace = sink();
    const result = await run(stageNode('each', { stage_id: 'inc' }), { items: [1, 2, 3] }, { trace });

    expect(result).toMatchObject({ ok: true, output: [2, 3, 4], effects: ['Pure'] });
    expect(trace.steps.map(({ path, stage_name, status }) => [path, stage_name, status])).toEqual([
      ['root.calls[0]', 'inc', 'ok'],
      ['root.calls[1]', 'inc', 'ok'],
      ['root.calls[2]', 'inc', 'ok'],
      ['root', 'each', 'ok'],
    ]);
  });

  it('shares their pure outputs with the whole run', async () => {
    inc_calls = 0;
    await run(stageNode('each', { stage_id: 'inc' }), { items: [1, 1, 1] });
    expect(inc_calls).toBe(1);
  });

  it('keeps no place while they wait for theirs', async () => {
    const result = await run(
      stageNode('each', { stage_id: 'act' }),
      { items: [1, 2, 3, 4] },
      { concurrency: 1, act: async (input) => Promise.resolve(input) },
    );
    expect(result).toMatchObject({ ok: true, output: [1, 2, 3, 4] });
  });

  it('fails with their failure, where it happened', async () => {
    const result = await run(
      stageNode('each', { stage_id: 'act' }),
      { items: [1, 2] },
      {
        act: (input) => {
          if (input === 2) throw new Error('two');
          return input;
        },
      },
    );
    expect(result).toMatchObject({
      error: {
        code: 'STAGE_FAILED',
        path: 'root.calls[1]',
        message: expect.stringContaining('two') as string,
      },
    });
  });

  it('is stopped with them at its deadline', async () => {
    const heard = vi.fn();
    const result = await run(
      stageNode('each', { stage_id: 'act' }, { timeout_ms: 20 }),
      { items: [1] },
      {
        act: (_input, signal) => {
          signal?.addEventListener('abort', heard);
          return new Promise(() => undefined);
        },
      },
    );
    expect(result).toMatchObject({ error: { code: 'GRAPH_NODE_TIMEOUT', path: 'root' } });
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('cannot call what its config does not name', async () => {
    expect(await run(stageNode('stray', { stage_id: 'inc' }), {})).toMatchObject({
      error: { code: 'GRAPH_REFERENCE_UNKNOWN' },
    });
  });

  it('is bound by the budget and the capabilities of the stages it calls', async () => {
    const root = stageNode('each', { stage_id: 'act' });
    expect(await run(root, { items: [] }, { capabilities: () => ({}) })).toMatchObject({
      status: 'refused',
      error: { code: 'STAGE_CAPABILITY_MISSING', path: 'root' },
    });
    expect(await run(root, { items: [] }, { policy: { effects: ['pure'] } })).toMatchObject({
      status: 'refused',
      error: { code: 'GRAPH_POLICY_REFUSED' },
    });
  });
});
