import type { Logger } from '@caloron/capabilities/logger';
import type { Clock, Random } from '@caloron/types';

import type { JobConfig } from './config.ts';
import type { Environment } from './environment.ts';
import { type Health, healthOf, waitingIn } from './health.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { RegistryState } from './registry/mirror.ts';
import type { Runtime } from './runtime.ts';
import type { JobStatus } from './scheduler.ts';
import { createSystemd, type Systemd } from './systemd.ts';
import { watchedWebhooks } from './webhook-log.ts';
import { secretProblem } from './webhook-sign.ts';
import { createWebhooks, type Webhooks } from './webhooks.ts';

/** What a scheduler's operation is made of. */
export interface OperationDeps {
  readonly runtime: Pick<Runtime, 'store'>;
  readonly environment: Environment;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly jobs: () => readonly JobStatus[];
  /** Slots that cannot be recorded now. */
  readonly unrecorded?: () => number;
  readonly pid: number;
  /** How the registry is that stages are looked up in. */
  readonly registry?: () => Promise<RegistryState | null>;
}

/** How a scheduler is watched, and how it tells others. */
export interface Operation {
  readonly metrics: Metrics;
  readonly health: () => Promise<Health>;
  readonly systemd: Systemd;
  /** Begins to deliver what the outbox holds. */
  openWebhooks(): Webhooks;
}

/** Plugs metrics, health, systemd and webhooks together. */
export function createOperation(deps: OperationDeps): Operation {
  const { runtime, environment, logger, clock, random, jobs, unrecorded, pid, registry } = deps;
  const { store } = runtime;
  const { variables } = environment;
  const watched = { store, jobs, unrecorded, started_at: clock.now(), pid, registry };
  const health = (): Promise<Health> => healthOf(watched);
  const metrics = createMetrics({ jobs, unrecorded, waiting: () => waitingIn(store) });
  const warn = (facts: object, message: string): void => logger.warn(facts, message);
  const healthy = async (): Promise<boolean> => (await health()).ok;
  return {
    metrics,
    health,
    systemd: createSystemd({ variables, pid, healthy, warn }),
    openWebhooks: () =>
      createWebhooks({
        outbox: store.forRun({ run_id: `webhooks:${random.uuid()}`, lease: null }).outbox,
        clock,
        variables,
        allow: environment.webhook_allow,
        ...watchedWebhooks(logger, metrics),
      }),
  };
}

/** Warns of each enabled job whose webhook cannot be signed, before its first run says so. */
export function warnOfSecrets(
  jobs: readonly Pick<JobConfig, 'name' | 'enabled' | 'webhook'>[],
  { variables }: Pick<Environment, 'variables'>,
  logger: Pick<Logger, 'warn'>,
): void {
  for (const { name, enabled, webhook } of jobs) {
    const secret_env = webhook?.secret_env ?? null;
    const reason = secret_env === null ? null : secretProblem({ secret_env, variables });
    if (enabled && reason !== null)
      logger.warn({ job: name, secret_env, reason }, 'the webhook of a job cannot be signed');
  }
}
