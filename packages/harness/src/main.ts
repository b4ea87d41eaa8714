import { dirname } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { openRepo } from '@caloron/capabilities/github';
import { createLogger } from '@caloron/capabilities/logger';
import { codeOf, messageOf } from '@caloron/noether/errors';
import { VERSION } from '@caloron/types/version';
import { Command } from 'commander';

import { readConfig } from './config.ts';
import { HarnessError } from './errors.ts';
import { writeExit } from './exit-file.ts';
import { runHarness } from './harness.ts';
import { takeOrder } from './order.ts';
import { runOrderedHook } from './ordered-hook.ts';

/** `caloron-harness start`: does what the order in CALORON_ORDER_FILE says and exits with the truth. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('caloron-harness')
    .description('Runs one agent in its worktree; started by caloron-shell.')
    .version(VERSION);
  program
    .command('start')
    .description('read the order in CALORON_ORDER_FILE, do it, report it')
    .action(async () => {
      process.exitCode = await start();
      // Idle connections to the forge may keep the process for seconds; the work is done and reported.
      setTimeout(() => process.exit(), 1000).unref();
    });
  program
    .command('hook')
    .description('run the one hook that the order in CALORON_ORDER_FILE names')
    .action(async () => {
      const config = readConfig();
      const logger = createLogger({ name: 'caloron-harness', level: config.log_level });
      const stop = new AbortController();
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => stop.abort());
      const deps = { config, logger, signal: stop.signal };
      process.exitCode = await runOrderedHook(deps).catch((error: unknown) => {
        logger.error({ code: codeOf(error) }, messageOf(error));
        return 1;
      });
    });
  await program.parseAsync(argv, { from: 'user' });
}

async function start(): Promise<number> {
  const config = readConfig();
  const logger = createLogger({ name: 'caloron-harness', level: config.log_level });
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => stop.abort(new HarnessError('HARNESS_STOPPED', { reason: name })));
  }
  try {
    const order = await takeOrder(config.order_file);
    const directory = dirname(config.order_file ?? '.');
    return await runHarness(order, {
      config,
      directory,
      clock: systemClock,
      logger,
      signal: stop.signal,
      openForge: ({ repo, host }, token) => openRepo({ repo, host, token }),
    });
  } catch (error) {
    logger.error({ code: codeOf(error) }, messageOf(error));
    // With an order that was there but cannot be used this process is the one the shell waits for.
    if (config.order_file !== null && codeOf(error) !== 'HARNESS_ORDER_MISSING') {
      const exit = { code: 1, signal: null, at: systemClock.now(), known: true };
      await writeExit(dirname(config.order_file), exit).catch((cause: unknown) => {
        logger.error({ reason: messageOf(cause) }, 'exit.json could not be written');
      });
    }
    return 1;
  }
}
