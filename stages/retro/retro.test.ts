import type { DagState, Feedback, FeedbackItem, ForgeComment, ForgeRepo, Kpis } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { exampleState, exampleTask } from '../dag/example.ts';
import { analyzeSprintFeedback } from './analyze_feedback.ts';
import { collectSprintFeedback } from './collect_feedback.ts';
import { computeSprintKpis } from './compute_kpis.ts';
import { feedbackIn } from './feedback_block.ts';
import { inline } from '../markdown.ts';
import { fixedHalfEven, roundHalfEven } from '../rounding.ts';
import { writeRetroReport } from './write_report.ts';

const AT = '2026-04-14T09:00:00.000Z';

function feedback(change: Partial<Feedback> = {}): Feedback {
  return {
    task_id: 'a',
    agent_role: 'developer',
    task_clarity: 8,
    blockers: [],
    tools_used: ['bash'],
    tokens_consumed: 1000,
    time_to_complete_min: 10,
    notes: '',
    self_assessment: 'completed',
    ...change,
  };
}

function item(change: Partial<Feedback> = {}, more: Partial<FeedbackItem> = {}): FeedbackItem {
  return { issue_number: 1, author: 'caloron-bot', created_at: AT, feedback: feedback(change), ...more };
}

describe('rounding', () => {
  it.each([
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [0.125, 2, '0.12'],
    [0.375, 2, '0.38'],
    [0.0625, 3, '0.062'],
    [2.675, 2, '2.67'],
    [0.145, 2, '0.14'],
    [-2.5, 0, '-2'],
    [0, 2, '0.00'],
    [9.995, 2, '9.99'],
    [0.05, 1, '0.1'],
    [1e21, 1, '1000000000000000000000.0'],
  ])('takes %f with %i decimals to %s, as Python does', (value, digits, text) => {
    expect(fixedHalfEven(value, digits)).toBe(text);
  });

  it('is nearest, even on ties, and rounds what is rounded to itself', () => {
    const law = fc.property(fc.integer({ min: -80_000, max: 80_000 }), fc.nat(3), (eighths, digits) => {
      const value = eighths / 8;
      const rounded = roundHalfEven(value, digits);

      expect(Math.abs(rounded - value)).toBeLessThanOrEqual(0.5 / 10 ** digits + 1e-9);
      expect(roundHalfEven(rounded, digits)).toBe(rounded);
      if (digits === 0 && Math.abs(value % 1) === 0.5) expect(Math.abs(rounded % 2)).toBe(0);
    });
    fc.assert(law);
  });
});

describe('compute_sprint_kpis', () => {
  it('counts who had to be asked, once each', () => {
    const tasks = {
      a: exampleTask('a', { status: 'Done', escalation_issue: 9 }),
      b: exampleTask('b', { status: 'Blocked' }),
      c: exampleTask('c'),
    };

    const kpis = computeSprintKpis.call({ state: { tasks } }, {});

    expect(kpis).toMatchObject({ escalated_count: 2, blocked_count: 1, sprint_days: 0, tasks_per_day: 0 });
  });

  it('takes a time without a zone for UTC', () => {
    const kpis = computeSprintKpis.call(
      { state: { tasks: {} }, started_at: '2026-04-08T10:00:00', ended_at: '2026-04-10T10:00:00Z' },
      {},
    );

    expect(kpis.sprint_days).toBe(2);
  });
});

describe('a feedback block', () => {
  const block = [
    '---',
    'caloron_feedback:',
    '  task_id: "x"',
    '  task_clarity: 7',
    '  blockers:',
    '    - "no key"',
    '  tokens_consumed: 100',
    '  self_assessment: completed',
    '---',
  ].join('\n');

  it.each([
    ['by itself', block],
    ['with text around it', `Done!\n\n${block}\n\nBye`],
    ['in a fence', `\`\`\`yaml\n${block}\n\`\`\``],
    ['without its closing rule', block.replace(/\n---$/, '')],
    ['after a rule', `Intro\n\n---\n\ntext\n\n${block}`],
    ['after a table', `| a | b |\n|---|---|\n| 1 | 2 |\n\n${block}`],
    ['with CRLF', block.replaceAll('\n', '\r\n')],
    ['with tabs', block.replaceAll('  ', '\t')],
    ['under the other name', block.replace('caloron_', 'caloron-')],
  ])('is read %s', (_, body) => {
    expect(feedbackIn(body, 'a')).toEqual([
      feedback({
        task_clarity: 7,
        blockers: ['no key'],
        tools_used: [],
        tokens_consumed: 100,
        time_to_complete_min: 0,
      }),
    ]);
  });

  it('loses one field, not the others, to a slip', () => {
    const slips =
      'caloron_feedback:\n  task_clarity: "4"\n  blockers: one thing\n  tools_used:\n  tokens_consumed: many\n  time_to_complete_min: 12\n  self_assessment: great\n';

    expect(feedbackIn(slips, 'a')).toEqual([
      feedback({
        task_clarity: 4,
        blockers: ['one thing'],
        tools_used: [],
        tokens_consumed: 0,
        time_to_complete_min: 12,
        self_assessment: 'partial',
      }),
    ]);
  });

  it('is read by line when it is no YAML', () => {
    const [read] = feedbackIn('caloron_feedback:\n  task_clarity: 6\n  notes: "he said "hi""\n', 'a');

    expect(read).toMatchObject({ task_clarity: 6, notes: 'he said "hi"' });
  });

  it.each([
    'the words caloron_feedback: in prose',
    '> caloron_feedback:\n>   task_clarity: 1',
    'caloron_feedback:\n  - a\n  - b',
    'caloron_feedback: done',
    '',
  ])('is not seen in %j', (body) => {
    expect(feedbackIn(body, 'a')).toEqual([]);
  });

  it('throws at nothing an agent can write', () => {
    const law = fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      for (const one of feedbackIn(`caloron_feedback:\n  ${text}`, 'a')) expect(one.task_id).toBe('a');
    });
    fc.assert(law, { numRuns: 500 });
  });
});

describe('collect_sprint_feedback', () => {
  const text = (clarity: number) => `caloron_feedback:\n  task_clarity: ${clarity}\n`;
  const comment = (
    issue_number: number,
    body: string,
    author: string | null = 'Caloron-Bot',
  ): ForgeComment => ({
    id: 1,
    issue_number,
    body,
    author,
    created_at: AT,
    updated_at: AT,
  });

  function collect(
    state: DagState,
    comments: readonly ForgeComment[],
    reported: FeedbackItem[] = [],
    broken: number[] = [],
  ) {
    const repo: Pick<ForgeRepo, 'comments'> = {
      comments: (issue) =>
        broken.includes(issue)
          ? Promise.reject(new Error('502'))
          : Promise.resolve(comments.filter(({ issue_number }) => issue_number === issue)),
    };
    const target = { repo: 'acme/shop', host: null, token_env: 'GITHUB_TOKEN' };
    return collectSprintFeedback.call(
      { target, state, reported },
      { forge: { open: () => repo as ForgeRepo } },
    );
  }

  const state = exampleState([
    exampleTask('a', { issue_number: 1 }),
    exampleTask('b', { issue_number: 2 }),
    exampleTask('c'),
  ]);

  it('takes the newest comment of an agent, else the report, in the order of the tasks', async () => {
    const comments = [
      comment(2, text(3)),
      comment(2, text(5)),
      comment(2, text(1), 'stranger'),
      comment(2, text(1), null),
      comment(1, 'fine'),
    ];
    const reported = [
      item({ task_id: 'c' }),
      item({ task_id: 'a', task_clarity: 9 }, { created_at: AT }),
      item({ task_id: 'a', task_clarity: 2 }, { created_at: null }),
      item({ task_id: 'b' }),
    ];

    const { feedback_items, problems } = await collect(state, comments, reported);

    expect(feedback_items.map(({ feedback: { task_id, task_clarity } }) => [task_id, task_clarity])).toEqual([
      ['a', 9],
      ['b', 5],
      ['c', 8],
    ]);
    expect(problems).toEqual([]);
  });

  it('says which issue it could not read, and reads the others', async () => {
    const { feedback_items, problems } = await collect(state, [comment(2, text(4))], [], [1]);

    expect(feedback_items).toHaveLength(1);
    expect(problems).toEqual(['issue #1 of a: UNEXPECTED: 502']);
  });
});

describe('analyze_sprint_feedback', () => {
  const analyze = (items: FeedbackItem[], kpis: Partial<Kpis> = {}) =>
    analyzeSprintFeedback.output.parse(analyzeSprintFeedback.call({ feedback_items: items, kpis }, {}));

  it('says that there is none', () => {
    expect(analyze([])).toMatchObject({ sentiment: 'neutral', learnings: [] });
  });

  it.each(['I had no tool problems', 'the dagger library', 'independent of it', 'a missing comma'])(
    'sees nothing in the blocker %j',
    (blocker) => {
      expect(analyze([item({ blockers: [blocker] })]).improvements).toEqual([
        'No specific improvements identified',
      ]);
    },
  );

  it.each([
    ['depends on the mail task', /missing DAG dependencies — 1/],
    ['not in the DAG', /missing DAG dependencies — 1/],
    ['Redis tool unavailable', /missing tools .* 1/],
    ['the eslint tool is not installed', /missing tools .* 1/],
  ])('sees what %j asks for', (blocker, expected) => {
    expect(analyze([item({ blockers: [blocker] })]).improvements.join()).toMatch(expected);
  });

  it('learns from no sprint whose tasks were given up that all went well', () => {
    const kept = analyze([item({ self_assessment: 'completed' })], { total_tasks: 3, completed_tasks: 1 });
    expect(kept.learnings).toEqual(['Continue with current approach']);
    const all = analyze([item({ self_assessment: 'completed' })], { total_tasks: 1, completed_tasks: 1 });
    expect(all.learnings).toContain('All tasks completed successfully — ready to increase sprint scope');
  });

  it('does not take an unknown clarity for a low one', () => {
    expect(analyze([item({ task_clarity: 0 })]).themes).toEqual(['Sprint completed without notable issues']);
    expect(analyze([item({ task_clarity: 4.5 })]).themes).toEqual([
      '1 tasks had low clarity scores (< 5/10)',
    ]);
  });

  it('names tasks that cost more than twice the mean', () => {
    const items = [1000, 1000, 1000, 9000].map((tokens_consumed) => item({ tokens_consumed }));

    expect(analyze(items).themes).toEqual(['1 tasks used significantly more tokens than average (3000)']);
  });

  it.each([
    [[], 'positive'],
    [['failed'], 'mixed'],
    [['failed', 'crashed'], 'negative'],
  ] as const)('feels %j of four as %s', (bad, sentiment) => {
    const items = [
      ...bad.map((self_assessment) => item({ self_assessment })),
      item(),
      item(),
      item(),
      item(),
    ].slice(0, 4);

    expect(analyze(items).sentiment).toBe(sentiment);
  });

  it('learns from the figures', () => {
    expect(
      analyze([item({ self_assessment: 'partial' })], { completion_rate: 0.8, avg_interventions: 1.1 })
        .learnings,
    ).toHaveLength(2);
    expect(analyze([item({ self_assessment: 'partial' })]).learnings).toEqual([
      'Continue with current approach',
    ]);
  });
});

describe('write_retro_report', () => {
  const state = exampleState([
    exampleTask('a', {
      title: 'Pipe | and <b>',
      status: 'Blocked',
      status_reason: 'agent_blocked',
      attempt: 2,
      review_cycles: 1,
    }),
  ]);
  const kpis = computeSprintKpis.call({ state }, {});
  const write = (feedback_items: FeedbackItem[], interim = false) => {
    const analysis = analyzeSprintFeedback.call({ feedback_items, kpis }, {});
    return writeRetroReport.call(
      { sprint_id: 's', kpis, feedback_items, analysis, state, started_at: AT, ended_at: null, interim },
      {},
    ).report_markdown;
  };

  it('has a row per task, the dates and what follows from the feedback', () => {
    const report = write([item({ task_clarity: 2 })]);

    expect(report).toContain(
      '| a | Pipe \\| and \\<b\\> | agent-1 | Blocked (agent\\_blocked) | – | 2 | 1 | 0 |',
    );
    expect(report).toContain(`- Started: ${AT}\n- Ended: still open`);
    expect(report).toContain('## Improvements\n\n- Add more detail to task specifications');
  });

  it('says when it is an interim one', () => {
    expect(write([], true)).toContain('*Interim: the sprint is still open.*');
    expect(write([])).not.toContain('Interim');
  });

  it('lets no text of an agent set a heading, a link or a mention', () => {
    const report = write([item({ notes: 'a\n# b [x](http://y) @all', agent_role: '`x`' })]);

    expect(report).toContain('- Notes: a \\# b \\[x\\](http://y) @\u200ball');
    expect(report).toContain('### a (\\`x\\`)');
  });

  it('keeps any text on its line', () => {
    const law = fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(inline(text)).not.toMatch(/[\n\r]|(?<!\\)(?:\\\\)*[|<`#]/);
    });
    fc.assert(law);
  });
});
