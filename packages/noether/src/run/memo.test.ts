import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { stageKit } from '../stage/define-stage.ts';
import { runnerOf, sink, stageNode } from '../testing/running.ts';

const backwards = stageKit()({
  name: 'backwards',
  description: 'Turns a text around.',
  effects: ['Pure'],
  input: z.string(),
  output: z.string(),
  examples: [{ input: 'ab', output: 'ba' }],
  run: (text: string) => Array.from(text).reverse().join(''),
});
const run = runnerOf([backwards]);

describe('the cache beyond a run', () => {
  it('neither hears of an input that holds a secret nor keeps what is made of it', async () => {
    const [get, put] = [vi.fn(), vi.fn()];
    const secrets = ['s3cret-token'];

    const result = await run(stageNode('backwards'), 'the s3cret-token', {
      cache: { get, put },
      secrets,
      trace: sink(),
    });

    expect(result).toMatchObject({ output: 'nekot-terc3s eht' });
    expect([get, put].map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
    await run(stageNode('backwards'), 'no secret', { cache: { get, put }, secrets, trace: sink() });
    expect([get, put].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
  });
});
