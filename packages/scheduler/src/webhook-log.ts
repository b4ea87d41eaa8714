import type { Logger } from '@caloron/capabilities/logger';

import type { Metrics } from './metrics.ts';
import type { WebhookDeps } from './webhook-queue.ts';

/** Writes each attempt to the log and counts it. Of its address only the host is told: the rest may be a secret. */
export function watchedWebhooks(
  logger: Logger,
  metrics?: Pick<Metrics, 'told'>,
): Pick<WebhookDeps, 'told' | 'failed'> {
  return {
    told: (attempt) => {
      metrics?.told(attempt);
      const { result, error, ...about } = attempt;
      if (error === null) logger.info(about, 'webhook sent');
      else if (result === 'retried') logger.warn({ ...about, error }, 'webhook failed, it is tried again');
      else logger.error({ ...about, error }, 'webhook failed');
    },
    failed: (error) => logger.error({ err: error }, 'webhooks could not be read or recorded'),
  };
}
