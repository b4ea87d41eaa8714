import { NULL, NUMBER, record, TEXT, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { Named, nameOf } from './order.ts';

/** `signal_process`: to the process alone, not to what it started. */
export const signalProcess = original(
  defineStage({
    name: 'signal_process',
    description:
      'Sends a signal, TERM unless told, to a process that spawn_process started; false when it is gone.',
    effects: ['Fallible', 'NonDeterministic', 'Process'],
    capabilities: ['process'],
    input: Named.extend({ signal: z.string().nullish() }),
    output: z.object({ sent: z.boolean() }),
    examples: [
      { input: { pid: 424_242 }, output: { sent: true } },
      { input: { pid: 424_242, signal: 'SIGSTOP', started_at: 1_776_155_400 }, output: { sent: true } },
      { input: { pid: 434_343, signal: 'usr1' }, output: { sent: false } },
    ],
    tags: ['process'],
    run: async ({ signal, ...name }, { process }) => ({
      sent: await process.signal(nameOf(name), signal ?? 'TERM'),
    }),
  }),
  { input: record({ pid: NUMBER, signal: union([NULL, TEXT]) }), effects: [{ effect: 'Process' }] },
);
