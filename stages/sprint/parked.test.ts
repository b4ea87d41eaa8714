import { addMs } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { done, world } from '../testing/acting.ts';
import { forgeError } from '../testing/memory_forge.ts';
import { EXAMPLE_NOW } from './example.ts';

const parked = (wait_ms: number) => ({
  error: Object.assign(forgeError('FORGE_PARKED', true), {
    details: { reset_at: addMs(EXAMPLE_NOW, wait_ms) },
  }),
});

describe('an action whose forge is parked', () => {
  it('waits as long as it takes, without counting as tried, and is taken then', async () => {
    const { forge, row, run, later } = world([done]);
    forge.faults.set(
      'addLabels',
      Array.from({ length: 12 }, () => parked(1_800_000)),
    );

    for (let n = 0; n < 12; n += 1) {
      await run();
      expect(row(done)).toMatchObject({ status: 'failed', attempts: 0 });
      later(1_800_000);
    }
    expect((await run()).actions_taken).toHaveLength(1);
  });
});
