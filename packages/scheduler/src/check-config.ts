import type { Catalog } from '@caloron/noether';

import { invalidConfig } from './config-text.ts';
import type { JobConfig, SchedulerConfig } from './config.ts';
import { createCron } from './cron.ts';
import type { CheckedRegistry } from './job-stages.ts';
import { graphProblems, graphsOf } from './graph-problems.ts';
import { slotName } from './passed-slots.ts';
import { storeProblems } from './verify-stages.ts';

/** How many of a job's coming fires are told. */
const FIRES = 5;

/**
 * Looks at all a scheduler would start with and starts nothing: each job's graph is read and checked, the stage store verified or
 * the registry in its place asked.
 * Gives the coming fires of each job as text; throws SCHEDULER_CONFIG_INVALID with every problem.
 */
export async function checkConfig(
  config: SchedulerConfig,
  catalog: Catalog,
  now_ms: number,
  registry?: CheckedRegistry,
): Promise<string> {
  const problems = await Promise.all([
    registry?.problems ?? storeProblems(config.store_path, catalog),
    graphProblems(graphsOf(config.jobs), registry?.stages ?? config.store_path, catalog),
  ]);
  if (problems.flat().length > 0) throw invalidConfig(config.path, problems.flat());
  return config.jobs.map((job) => firesOf(job, now_ms)).join('\n');
}

function firesOf({ name, cron, timezone, enabled, on }: JobConfig, now_ms: number): string {
  const zone = timezone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const events = on.length === 0 ? '' : `, and on ${on.join(', ')}`;
  const head = `${name}: ${cron} in ${zone}${events}${enabled ? '' : ' (disabled: it is not fired)'}`;
  const wall = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    day: '2-digit',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  const calendar = createCron(cron, timezone);
  const lines: string[] = [];
  for (let at = calendar.next(now_ms); at !== null && lines.length < FIRES; at = calendar.next(at))
    lines.push(`  ${slotName(at)}  ${wall.format(at)}`);
  return [head, ...lines].join('\n');
}
