import { BOOL, NULL, NUMBER, record, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { LONGEST_MS, Named, nameOf } from './order.ts';

/** Longest wait unless the input says so, in milliseconds; the original's. */
const TIMEOUT_MS = 30_000;

/** `wait_process`: the exit code is known while the process runs that started it. */
export const waitProcess = original(
  defineStage({
    name: 'wait_process',
    description: 'Waits for a process that spawn_process started, 30 s unless told.',
    effects: ['Fallible', 'NonDeterministic', 'Process'],
    capabilities: ['process'],
    input: Named.extend({ timeout_ms: z.number().nullish() }),
    output: z.object({ exited: z.boolean(), timed_out: z.boolean(), exit_code: z.number().nullable() }),
    examples: [
      {
        input: { pid: 424_242, timeout_ms: 50 },
        output: { exited: false, timed_out: true, exit_code: null },
      },
      {
        input: { pid: 424_242, started_at: 1_776_155_400, timeout_ms: 0 },
        output: { exited: false, timed_out: true, exit_code: null },
      },
      { input: { pid: 434_343 }, output: { exited: true, timed_out: false, exit_code: 3 } },
    ],
    tags: ['process'],
    run: async ({ timeout_ms, ...name }, { process }, signal) => {
      const ms = Math.min(timeout_ms ?? TIMEOUT_MS, LONGEST_MS);
      const end = await process.wait(nameOf(name), ms, signal);
      return { ...end, timed_out: !end.exited };
    },
  }),
  {
    input: record({ pid: NUMBER, timeout_ms: union([NULL, NUMBER]) }),
    output: record({ exited: BOOL, timed_out: BOOL }),
    effects: [{ effect: 'Fallible' }, { effect: 'Process' }],
  },
);
