import { describe, expect, it } from 'vitest';

import { createMetrics } from './metrics.ts';

describe('the metrics', () => {
  it('count runs, lateness and attempts of webhooks, and what is so now', async () => {
    const job = { name: 'j', cron: '* * * * *', next_at: null, last: null };
    const metrics = createMetrics({
      jobs: () => [
        { ...job, running: true },
        { ...job, running: false },
      ],
      unrecorded: () => 2,
      waiting: () => Promise.resolve(3),
    });
    metrics.ran({ job: 'j', status: 'ok', duration_ms: 250 }, 'cron', 40);
    metrics.ran({ job: 'j', status: 'failed', duration_ms: 250 }, 'sprint.completed', null);
    metrics.ran({ job: 'j', status: 'failed', duration_ms: 250 }, 'task.done', null);
    metrics.skipped('j');
    metrics.told({ job: 'j', result: 'retried', duration_ms: 20 });

    const text = await metrics.text();
    for (const line of [
      'noether_scheduler_runs_total{job="j",cause="cron",status="ok"} 1',
      'noether_scheduler_runs_total{job="j",cause="event",status="failed"} 2',
      'noether_scheduler_run_duration_seconds_sum{job="j",status="ok"} 0.25',
      'noether_scheduler_lateness_seconds_count 1',
      'noether_scheduler_lateness_seconds_sum 0.04',
      'noether_scheduler_slots_skipped_total{job="j"} 1',
      'noether_scheduler_jobs 2',
      'noether_scheduler_jobs_running 1',
      'noether_scheduler_slots_unrecorded 2',
      'noether_scheduler_webhooks_waiting 3',
      'noether_scheduler_webhook_attempts_total{job="j",result="retried"} 1',
      'noether_scheduler_webhook_duration_seconds_sum 0.02',
    ])
      expect(text.split('\n')).toContain(line);
    expect(text).toContain('process_cpu_seconds_total');
  });

  it('are told without what cannot be read, and with it as soon as it can', async () => {
    let waiting = (): Promise<number> => Promise.resolve(1);
    const metrics = createMetrics({ jobs: () => [], waiting: () => waiting() });
    const told = async (): Promise<readonly string[]> =>
      (await metrics.text())
        .split('\n')
        .filter((line) => line.startsWith('noether_scheduler_webhooks_waiting'));
    expect(await told()).toEqual(['noether_scheduler_webhooks_waiting 1']);

    waiting = () => Promise.reject(new Error('the disk has a hole'));
    expect(await told()).toEqual([]);
    expect(await metrics.text()).toContain('noether_scheduler_jobs 0');

    waiting = () => Promise.resolve(2);
    expect(await told()).toEqual(['noether_scheduler_webhooks_waiting 2']);
  });
});
