import { rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Logger } from '@caloron/capabilities/logger';
import { messageOf } from '@caloron/noether/errors';
import type { HookEnd } from '@caloron/types';

import type { HarnessConfig } from './config.ts';
import { HarnessError } from './errors.ts';
import { runHook } from './hooks.ts';
import { openLog } from './log-file.ts';
import { takeOrder } from './order.ts';
import { createSandbox } from './sandbox.ts';

/** What a harness that only runs a hook is given from outside. */
export interface OrderedHookDeps {
  readonly config: HarnessConfig;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Runs the hook its order names, confined as the agent's programs are, and leaves `{hook}.end.json` beside the order; gives the
 * exit code. Throws HARNESS_ORDER_MISSING, HARNESS_ORDER_INVALID.
 */
export async function runOrderedHook({ config, logger, signal }: OrderedHookDeps): Promise<number> {
  const order = await takeOrder(config.order_file);
  const file = config.order_file ?? '';
  const hook = order.workspace?.hook;
  if (hook === undefined)
    throw new HarnessError('HARNESS_ORDER_INVALID', { file, issues: ['workspace.hook: expected a hook'] });
  const directory = dirname(file);
  const log = openLog(order.log_file);
  const prompt_file = join(directory, 'prompt.md');
  const sandbox = createSandbox({ order, directory, env: config.env, prompt_file });
  let end: HookEnd;
  try {
    const { confine } = sandbox;
    const context = { order, config, log, logger, confine, activity: null };
    const failed = await runHook(context, hook.name, hook.argv, signal);
    end = { reason: failed?.details.reason ?? null, tail: failed?.details.tail ?? '' };
  } catch (error) {
    end = { reason: messageOf(error), tail: '' };
  } finally {
    sandbox.close();
    log.close();
  }
  const target = join(directory, `${hook.name}.end.json`);
  await writeFile(`${target}.tmp`, JSON.stringify(end), { mode: 0o600 });
  await rename(`${target}.tmp`, target);
  return end.reason === null ? 0 : 1;
}
