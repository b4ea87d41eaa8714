import { list, NULL, type NType, record, TEXT, union } from '@caloron/noether/stage';
import type { ProcessOrder } from '@caloron/types';
import { z } from 'zod';

import { mapOf, TextMap } from '../shape.ts';

/** Longest wait a timer holds, in milliseconds. */
export const LONGEST_MS = 2_147_483_647;

/** A program to start: no shell reads the arguments. */
export const Order = z.object({
  cmd: z.string(),
  args: z.array(z.string()).nullish(),
  /** Counts from the project, which it is when none is given. */
  cwd: z.string().nullish(),
  /** Beside PATH, HOME and the like, and the variables an operator allows. */
  env: TextMap.nullish(),
});

/** The original's fields of a program to start. */
export const ORDER_FIELDS: { readonly [field: string]: NType } = {
  args: union([list(TEXT), NULL]),
  cmd: TEXT,
  cwd: union([TEXT, NULL]),
  env: union([mapOf(TEXT), NULL]),
};

/** The original's type of a program to start. */
export const ORDER: NType = record(ORDER_FIELDS);

/** An order in the words of the capability. */
export function orderOf({ cmd, args, cwd, env }: z.output<typeof Order>): ProcessOrder {
  return { cmd, args: args ?? [], cwd: cwd ?? null, env: env ?? {} };
}

/** A process by its pid; `started_at` as `spawn_process` gave it makes sure that it is that one. */
export const Named = z.object({ pid: z.number(), started_at: z.number().nullish() });

/** A process in the words of the capability. */
export function nameOf({ pid, started_at }: z.output<typeof Named>): {
  readonly pid: number;
  readonly started_at: number | null;
} {
  return { pid, started_at: started_at ?? null };
}
