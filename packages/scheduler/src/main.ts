import { systemClock } from '@caloron/capabilities/clock';
import { createLogger, type Logger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { findHome } from '@caloron/store';
import { epochMs } from '@caloron/types';
import { VERSION } from '@caloron/types/version';
import { Command, InvalidArgumentError } from 'commander';
import type { FastifyInstance } from 'fastify';

import { loadCatalog } from './catalog.ts';
import { checkConfig } from './check-config.ts';
import type { JobConfig, SchedulerConfig } from './config.ts';
import { askedToEnd } from './end-signals.ts';
import { endWritten } from './end-written.ts';
import { type Environment, readEnvironment } from './environment.ts';
import type { FireDeps } from './fire.ts';
import { readWhole, refusedStore, warnOfGraphs } from './graph-problems.ts';
import { DELIVERED, INBOUND_PATH, inboundRoutes } from './inbound.ts';
import { checkRegistry, openJobStages } from './job-stages.ts';
import { createOperation, warnOfSecrets } from './operation.ts';
import { watchConfig } from './reload.ts';
import { runOnce } from './run-once.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { type JobStatus, type Scheduler, startScheduler } from './scheduler.ts';
import { startServer } from './server.ts';
import { watchesRepo } from './wakeup.ts';

/** A run still going this long after SIGTERM is interrupted; the next scheduler makes it again. */
const STOP_GRACE_MS = 10_000;

/** Attempts to deliver webhooks that still go on then are ended. */
const WEBHOOK_GRACE_MS = 2_000;

interface Options {
  readonly config?: string;
  readonly home?: string;
  readonly host: string;
  readonly port: number;
  readonly check?: boolean;
  /** Name of a job. */
  readonly run?: string;
}

/** Exit code of a run that failed, as every command has it. */
const FAILED = 3;

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('expected a port from 0 to 65535');
  return value;
}

/** `--check`: tells every problem, or when each job is fired next. */
async function check(config: SchedulerConfig, options: Options): Promise<void> {
  const home = findHome({ flag: options.home, variables: process.env, cwd: process.cwd() });
  const environment = readEnvironment(process.env, home);
  const { registry } = config;
  const asked = registry && (await checkRegistry(registry, { home, environment, clock: systemClock }));
  for (const warning of [...config.warnings, ...(asked?.warnings ?? [])])
    process.stderr.write(`noether-scheduler: ${warning}\n`);
  const text = await checkConfig(config, loadCatalog(), epochMs(systemClock.now()), asked ?? undefined);
  process.stdout.write(`${text || 'no jobs'}\n`);
  return endWritten();
}

async function start(positional: string | undefined, options: Options): Promise<void> {
  const host = { catalog: loadCatalog, timezone: process.env['TZ'] };
  const config = await readWhole(options.config ?? positional ?? 'scheduler.json', process.cwd(), host);
  return options.check === true ? check(config, options) : serve(config, options);
}

async function serve(config: SchedulerConfig, options: Options): Promise<void> {
  const home = findHome({ flag: options.home, variables: process.env, cwd: process.cwd() });
  const environment = readEnvironment(process.env, home);
  const logger = createLogger({ name: 'noether-scheduler', level: environment.log_level });
  for (const warning of config.warnings) logger.warn({ warning }, 'config');

  const warn = (facts: object, message: string): void => logger.warn(facts, message);
  const catalog = loadCatalog();
  const finding = { home, environment, clock: systemClock, logger, catalog };
  const stages = await openJobStages(config, finding).catch(async (error: unknown) => {
    throw config.registry === null ? await refusedStore(error, config, catalog) : error;
  });
  const runtime = createRuntime({
    home,
    environment,
    clock: systemClock,
    random: systemRandom,
    catalog,
    stage_store: stages.stages,
    secrets: () => stages.secrets(),
    warn,
  });
  // The port first: a scheduler that cannot have it fires no job.
  let started: Scheduler | undefined;
  const jobs = (): readonly JobStatus[] => started?.jobs() ?? [];
  const { host, port: at } = options;
  const seams = { clock: systemClock, random: systemRandom, logger, runtime };
  const registry = (): ReturnType<typeof stages.registry> => stages.registry();
  const unrecorded = (): number => started?.unrecorded() ?? 0;
  const watched = { jobs, unrecorded, pid: process.pid, registry };
  const operation = createOperation({ ...seams, environment, ...watched });
  const { metrics, health, systemd } = operation;
  if (options.run !== undefined) {
    await stages.asked();
    await runNow(config, options.run, seams, operation);
    await stages.close();
    return endWritten();
  }
  const { db_id, slots } = runtime.store;
  const facts = { db_id, host, port: at, health, metrics, slots };
  let current = config;
  const known = (): readonly JobConfig[] => current.jobs;
  const server = await startServer({ jobs }, facts, inbound(environment, runtime, known, logger));
  warnOfSecrets(config.jobs, environment, logger);
  const webhooks = operation.openWebhooks();
  const scheduler = startScheduler({ ...seams, config, webhooks, metrics });
  started = scheduler;
  const unwatch = watchConfig({
    config,
    cwd: process.cwd(),
    logger,
    apply: (changed) => {
      current = changed;
      scheduler.reload(changed.jobs);
      warnOfSecrets(changed.jobs, environment, logger);
      stages.reload(changed);
      void warnOfGraphs(changed.jobs, stages.stages, catalog, logger);
    },
  });
  const ended = askedToEnd(logger, STOP_GRACE_MS);
  process.stdout.write(`${JSON.stringify({ ready: true, url: server.url, pid: process.pid })}\n`);
  void systemd.ready(`${jobs().length} jobs, ${server.url}`);
  void warnOfGraphs(config.jobs, stages.stages, catalog, logger);

  await ended;
  unwatch();
  systemd.close();
  await Promise.all([systemd.stopping(), scheduler.stop(STOP_GRACE_MS)]);
  await webhooks.close(WEBHOOK_GRACE_MS);
  await stages.close();
  await server.close();
  runtime.close();
  process.exit(0);
}

/** `--run NAME`: fires one job, prints how it ended, and exits 0, or 3 when it failed. */
async function runNow(
  config: SchedulerConfig,
  name: string,
  seams: Pick<FireDeps, 'clock' | 'random' | 'logger' | 'runtime'>,
  operation: Pick<ReturnType<typeof createOperation>, 'openWebhooks'>,
): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.once(signal, () => interrupted.abort());
  const webhooks = operation.openWebhooks();
  try {
    const outcome = await runOnce(config, name, { ...seams, webhooks, signal: interrupted.signal });
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    process.exitCode = outcome?.status === 'failed' ? FAILED : 0;
  } finally {
    await webhooks.close(STOP_GRACE_MS);
    seams.runtime.close();
  }
}

/** The route forges post to; undefined without a secret. */
function inbound(
  { webhook_secret: secret }: Environment,
  { store }: Runtime,
  jobs: () => readonly JobConfig[],
  logger: Logger,
): ((app: FastifyInstance) => void) | undefined {
  if (secret === null) return undefined;
  if (!jobs().some(({ enabled, on }) => enabled && on.includes(DELIVERED)))
    logger.warn({ path: INBOUND_PATH }, `webhooks wake no job: none has "${DELIVERED}" in its "on"`);
  const watches = (repo: string): Promise<boolean> => watchesRepo(store, jobs(), repo);
  const warn = (facts: object, message: string): void => logger.warn(facts, message);
  return (app) => inboundRoutes(app, { secret, deliveries: store.deliveries, watches, warn });
}

/** The `noether-scheduler` command. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('noether-scheduler')
    .description('Runs composition graphs by cron and at once when events arrive.')
    .version(VERSION)
    .argument('[config]', 'scheduler config', undefined)
    .option('--config <path>', 'scheduler config (default ./scheduler.json)')
    .option('--home <dir>', 'directory that holds .caloron/')
    .option('--host <address>', 'address to listen on; others than this machine see /jobs then', '127.0.0.1')
    .option('--port <n>', 'port for /health, /jobs and webhooks of forges; 0 takes a free one', port, 0)
    .option('--check', 'tell every problem of the config, or the next five fires of each job; start nothing')
    .option('--run <job>', 'fire one job now, tell how it ended and exit: 0, or 3 when it failed')
    .action((positional: string | undefined, options: Options) => start(positional, options));
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    const hint = error instanceof CodedError && error.hint !== undefined ? `\n  next: ${error.hint}` : '';
    process.stderr.write(`noether-scheduler: ${messageOf(error)} [${codeOf(error)}]${hint}\n`);
    process.exit(1);
  }
}
