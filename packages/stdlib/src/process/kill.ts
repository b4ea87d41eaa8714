import { NUMBER, record } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { Named, nameOf } from './order.ts';

/** `kill_process`: never one that was not started by it, whoever has its pid by now. */
export const killProcess = original(
  defineStage({
    name: 'kill_process',
    description: 'Kills a process that spawn_process started, with its group; false when it is gone.',
    effects: ['Fallible', 'NonDeterministic', 'Process'],
    capabilities: ['process'],
    input: Named,
    output: z.object({ killed: z.boolean() }),
    examples: [
      { input: { pid: 424_242 }, output: { killed: true } },
      { input: { pid: 424_242, started_at: 1_776_155_400 }, output: { killed: true } },
      { input: { pid: 434_343, started_at: null }, output: { killed: false } },
    ],
    tags: ['process'],
    run: async (name, { process }) => ({ killed: await process.kill(nameOf(name)) }),
  }),
  { input: record({ pid: NUMBER }), effects: [{ effect: 'Process' }] },
);
