import { describe, expect, it } from 'vitest';

import type { Json } from '../ports.ts';
import { runnerOf, sink, stageNode } from '../testing/running.ts';

const run = runnerOf([]);
const fail = (message: string) => (): never => {
  throw new Error(message);
};

describe('a trace', () => {
  it('keeps of a long failure what tells of it', async () => {
    const trace = sink();

    await run(stageNode('act'), null, { trace, act: fail('x'.repeat(1_000_000)) });

    expect(trace.steps[0]?.error?.message).toMatch(/^.{10000}…$/u);
  });

  it('shows no secret in the places of a graph, nor at the end of a long failure', async () => {
    const trace = sink();
    const secret = 's3cret-token';
    const root: Json = { op: 'Parallel', branches: { [`of ${secret}`]: stageNode('act') } };

    await run(root, null, {
      trace,
      act: fail(`${'x'.repeat(9_900)}${secret.repeat(20)}`),
      secrets: [secret],
    });

    expect(trace.steps).toMatchObject([{ path: 'root.branches["of ***"]' }]);
    expect(JSON.stringify(trace.steps)).not.toMatch(/s3c|ret-/u);
  });
});
