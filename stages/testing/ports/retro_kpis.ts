import { computeSprintKpis } from '../../retro/compute_kpis.ts';
import { roundHalfEven } from '../../rounding.ts';
import { fieldsIn, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { isInstant } from '../vectors.ts';

/** compute_sprint_kpis beside the original's. */
export const kpisPort: Port = {
  file: 'retro_compute_kpis',
  counterparts: ['compute_sprint_kpis'],
  run: ({ input }) => computeSprintKpis.call(computeSprintKpis.input.parse(input), {}),
  rules: [
    {
      why: 'A sprint that ends before it began has lasted no days.',
      ours: (golden) => {
        const { sprint_days, ...others } = fieldsIn(golden);
        return typeof sprint_days === 'number' && sprint_days < 0 ? { ...others, sprint_days: 0 } : golden;
      },
    },
    {
      why: 'A time without a zone is UTC: only so can it be compared with one that has a zone.',
      ours: (golden, { input }) => {
        const figures = fieldsIn(golden);
        const times = [input['started_at'], input['ended_at']].map(String);
        const naive = times.filter((text) => /^\d{4}-\d{2}-\d{2}[T ][\d:.]+$/.test(text));
        if (naive.length !== 1 || !times.every((text) => naive.includes(text) || isInstant(text)))
          return golden;
        const [from = 0, to = 0] = times.map((text) => Date.parse(naive.includes(text) ? `${text}Z` : text));
        const days = Math.max(0, (to - from) / 86_400_000);
        const a_day = days > 0 ? Number(figures['completed_tasks']) / days : 0;
        return { ...figures, sprint_days: roundHalfEven(days, 1), tasks_per_day: roundHalfEven(a_day, 1) };
      },
    },
    refuses(
      'What enters is parsed: a time that is no text is refused, never taken for absent.',
      ({ input }) =>
        ['started_at', 'ended_at'].some(
          (name) => !['string', 'undefined'].includes(typeof (input[name] ?? undefined)),
        ),
    ),
  ],
};
