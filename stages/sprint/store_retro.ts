import { Id, keys, Kpis, Learnings, RetroAnalysis, RetroOutput, Timestamp } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleKpis } from '../retro/example.ts';
import { EXAMPLE_NOW } from './example.ts';
import { readValue } from './read_value.ts';

/**
 * Keeps a retro: the report as a file, its figures, and what the sprint taught for the next kickoff. Done twice it is kept once; an interim
 * retro teaches nothing yet.
 */
export const storeRetro = defineStage({
  name: 'store_retro',
  description: 'Writes the report of a retro and keeps its figures and learnings.',
  effects: ['NonDeterministic', 'Fallible', { effect: 'FsWrite', path: 'reports' }],
  capabilities: ['kv.read', 'kv.write', 'reports'],
  input: z.object({
    sprint_id: Id,
    kpis: Kpis,
    report_markdown: z.string(),
    analysis: RetroAnalysis,
    interim: z.boolean(),
    now: Timestamp,
  }),
  output: RetroOutput,
  examples: [
    {
      input: {
        sprint_id: 'sprint-1',
        kpis: exampleKpis,
        report_markdown: '# Sprint retro: sprint-1\n',
        analysis: {
          themes: [],
          improvements: [],
          learnings: ['Say where the tests are.'],
          sentiment: 'positive',
        },
        interim: false,
        now: EXAMPLE_NOW,
      },
      output: {
        sprint_id: 'sprint-1',
        kpis: exampleKpis,
        report_path: 'reports/sprint-1.md',
        learnings: ['Say where the tests are.'],
        interim: false,
      },
    },
    {
      input: {
        sprint_id: 'sprint-1',
        kpis: exampleKpis,
        report_markdown: '# Sprint retro: sprint-1\n',
        analysis: {
          themes: [],
          improvements: [],
          learnings: ['Say where the tests are.'],
          sentiment: 'mixed',
        },
        interim: true,
        now: EXAMPLE_NOW,
      },
      output: {
        sprint_id: 'sprint-1',
        kpis: exampleKpis,
        report_path: 'reports/sprint-1.md',
        learnings: [],
        interim: true,
      },
    },
    {
      input: {
        sprint_id: 'sprint-2',
        kpis: { ...exampleKpis, completed_tasks: 0, completion_rate: 0 },
        report_markdown: '# Sprint retro: sprint-2\n',
        analysis: { themes: [], improvements: [], learnings: [], sentiment: 'neutral' },
        interim: false,
        now: EXAMPLE_NOW,
      },
      output: {
        sprint_id: 'sprint-2',
        kpis: { ...exampleKpis, completed_tasks: 0, completion_rate: 0 },
        report_path: 'reports/sprint-2.md',
        learnings: [],
        interim: false,
      },
    },
  ],
  run: async ({ sprint_id, kpis, report_markdown, analysis, interim, now }, { kv, reports }) => {
    const { path } = await reports.write(sprint_id, report_markdown);
    const learnings = interim ? [] : analysis.learnings;
    const output = { sprint_id, kpis, report_path: path, learnings, interim };
    if (!interim) {
      const expect_rev = (await kv.get(keys.learnings))?.rev ?? 0;
      const before = (await readValue(kv, keys.learnings, Learnings))?.items ?? [];
      const mine = before.filter((item) => item.sprint_id === sprint_id);
      const fresh = learnings
        .filter((text) => !mine.some((item) => item.text === text))
        .map((text) => ({ sprint_id, at: now, text }));
      const items = [...before, ...fresh];
      // Another sprint's retro may write at the same time: the loser is run again.
      if (fresh.length > 0) await kv.put(keys.learnings, { v: 1, items }, { expect_rev });
    }
    await kv.put(keys.kpis(sprint_id), kpis);
    await kv.put(keys.report(sprint_id), output);
    return output;
  },
});
