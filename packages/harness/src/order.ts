import { readFile, rm } from 'node:fs/promises';

import { Order } from '@caloron/types';

import { HarnessError } from './errors.ts';

/** Reads the order and deletes its file at once, also when it is damaged. Throws HARNESS_ORDER_MISSING or HARNESS_ORDER_INVALID. */
export async function takeOrder(file: string | null): Promise<Order> {
  if (file === null) throw new HarnessError('HARNESS_ORDER_MISSING', { file });
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new HarnessError('HARNESS_ORDER_MISSING', { file }, { cause });
  });
  await rm(file, { force: true });

  const parsed = Order.safeParse(json(text, file));
  if (parsed.success) return parsed.data;
  // The order holds a token: only places and expectations are told, never a value.
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new HarnessError('HARNESS_ORDER_INVALID', { file, issues });
}

function json(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A syntax error quotes the text it stumbled over, so it is not kept as the cause.
    throw new HarnessError('HARNESS_ORDER_INVALID', { file, issues: ['not JSON'] });
  }
}
