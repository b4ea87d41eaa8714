import { BOOL, NULL, NUMBER, record, TEXT, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, typed } from '../kit.ts';
import { LONGEST_MS, Order, ORDER_FIELDS, orderOf } from './order.ts';

/** Longest a command may take unless its input says so, in milliseconds: a minute. */
const TIMEOUT_MS = 60_000;
/** Kept of each output unless the input says so: 1 MiB. */
const MAX_BYTES = 1_048_576;
/** Most an input may ask to keep of each output: 64 MiB. */
const MOST_BYTES = 67_108_864;

const TEXT_OR_NULL = union([TEXT, NULL]);
const NUMBER_OR_NULL = union([NUMBER, NULL]);

/** `run_command`: an exit code other than 0 is a result. What the command left running is killed when it has ended. */
export const runCommand = typed(
  defineStage({
    name: 'run_command',
    description: 'Runs a program to its end and gives its exit code and both its outputs.',
    effects: ['Fallible', 'NonDeterministic', 'Process'],
    capabilities: ['process'],
    input: Order.extend({
      stdin: z.string().nullish(),
      timeout_ms: z.int().min(1).max(LONGEST_MS).nullish(),
      /** Kept of each output, in bytes. */
      max_bytes: z.int().min(0).max(MOST_BYTES).nullish(),
    }),
    output: z.object({
      exit_code: z.number().nullable(),
      signal: z.string().nullable(),
      stdout: z.string(),
      stderr: z.string(),
      truncated: z.boolean(),
    }),
    examples: [
      {
        input: { cmd: 'cat', stdin: 'grün' },
        output: { exit_code: 0, signal: null, stdout: 'grün', stderr: '', truncated: false },
      },
      {
        input: { cmd: 'sh', args: ['-c', 'echo "$WORD" >&2; exit 3'], env: { WORD: 'no' }, cwd: 'docs' },
        output: { exit_code: 3, signal: null, stdout: '', stderr: 'no\n', truncated: false },
      },
      {
        input: { cmd: 'ls', cwd: null, max_bytes: 4 },
        output: { exit_code: 0, signal: null, stdout: 'docs', stderr: '', truncated: true },
      },
    ],
    tags: ['process'],
    run: ({ stdin, timeout_ms, max_bytes, ...order }, { process }, signal) =>
      process.run({
        ...orderOf(order),
        stdin: stdin ?? null,
        timeout_ms: timeout_ms ?? TIMEOUT_MS,
        max_bytes: max_bytes ?? MAX_BYTES,
        signal,
      }),
  }),
  {
    input: record({
      ...ORDER_FIELDS,
      stdin: TEXT_OR_NULL,
      timeout_ms: NUMBER_OR_NULL,
      max_bytes: NUMBER_OR_NULL,
    }),
    output: record({
      exit_code: NUMBER_OR_NULL,
      signal: TEXT_OR_NULL,
      stdout: TEXT,
      stderr: TEXT,
      truncated: BOOL,
    }),
  },
);
