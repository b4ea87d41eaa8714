import { NUMBER, record } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { Order, ORDER, orderOf } from './order.ts';

/** `spawn_process`: the process outlives the run; both its outputs go to one file, which `read_file` may read. */
export const spawnProcess = original(
  defineStage({
    name: 'spawn_process',
    description:
      'Starts a program that goes on by itself; gives its pid, its start and the file of its output.',
    effects: ['Fallible', 'NonDeterministic', 'Process', { effect: 'FsWrite', path: '.caloron/processes' }],
    capabilities: ['process'],
    input: Order,
    output: z.object({ pid: z.number(), started_at: z.number(), output_path: z.string() }),
    examples: [
      {
        input: { cmd: 'sleep', args: ['60'] },
        output: { pid: 424_242, started_at: 1_776_155_400, output_path: '/process.log' },
      },
      {
        input: { cmd: 'sh', args: ['-c', 'echo "$WORD"; sleep 60'], cwd: 'docs', env: { WORD: 'a' } },
        output: { pid: 424_242, started_at: 1_776_155_400, output_path: '/process.log' },
      },
      {
        input: { cmd: 'true', args: null, cwd: null, env: null },
        output: { pid: 424_242, started_at: 1_776_155_400, output_path: '/process.log' },
      },
    ],
    tags: ['process'],
    run: (input, { process }) => process.spawn(orderOf(input)),
  }),
  {
    input: ORDER,
    output: record({ pid: NUMBER, started_at: NUMBER }),
    effects: [{ effect: 'Fallible' }, { effect: 'Process' }],
  },
);
