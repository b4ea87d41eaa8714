import { Feedback, type ForgeRepo, type Order } from '@caloron/types';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

import { createForge } from '../test/fake-forge.ts';
import {
  completeFeedback,
  feedbackComment,
  parseFeedback,
  postFeedback,
  syntheticFeedback,
} from './feedback.ts';
import { FEEDBACK_END, FEEDBACK_START } from './prompt.ts';

const order = {
  process_id: 'p1',
  sprint_id: 's1',
  role: 'author',
  task: { id: 't1', issue_number: 7 },
  framework: { name: 'claude-code', options: {} },
} as unknown as Order;
const facts = { tokens_used: 1200, minutes: 3.5 };
const block = (json: string): string => `${FEEDBACK_START}\n${json}\n${FEEDBACK_END}`;

/** How readers of the comment find the block. */
function read(comment: string): unknown {
  const found = /---\s*\n(.*?)\n---/s.exec(comment);
  return z.object({ caloron_feedback: z.unknown() }).parse(parse(found?.[1] ?? '')).caloron_feedback;
}

describe('what an agent says of itself', () => {
  it.each([
    ['a block', block('{"task_clarity": 7, "notes": "n"}'), { task_clarity: 7, notes: 'n' }],
    ['the last block', `${block('{"notes":"1"}')}\n${block('{"notes":"2"}')}`, { notes: '2' }],
    ['a fenced block', block('```json\n{"notes":"n"}\n```'), { notes: 'n' }],
    ['an earlier block when the last is broken', `${block('{"notes":"1"}')}\n${block('{')}`, { notes: '1' }],
    [
      'the good fields only',
      block('{"task_clarity":"99","blockers":"none","self_assessment":"great","notes":"n"}'),
      { task_clarity: 10, notes: 'n' },
    ],
    ['nothing of text without a block', 'all done', null],
    ['nothing of an open block', `${FEEDBACK_START}\n{"notes":"n"}`, null],
    [
      'nothing of the example in the prompt',
      block('{"self_assessment": "completed|partial|blocked|failed", "notes": "x"}'),
      null,
    ],
    ['nothing of another shape', block('[1]'), null],
  ])('reads %s', (_name, text, said) => {
    expect(parseFeedback(text)).toEqual(said);
  });
});

describe('feedback', () => {
  it('is filled in with what the harness knows; an unsaid clarity is 0', () => {
    expect(completeFeedback(order, { notes: 'n' }, facts)).toEqual({
      task_id: 't1',
      agent_role: 'author',
      task_clarity: 0,
      blockers: [],
      tools_used: ['claude-code'],
      tokens_consumed: 1200,
      time_to_complete_min: 3.5,
      notes: 'n',
      self_assessment: 'completed',
    });
  });

  it('is synthetic and says crashed for an agent that ended badly', () => {
    const made = syntheticFeedback(order, 'exit code 3', false, facts);

    expect(Feedback.parse(made)).toMatchObject({ task_clarity: 0, self_assessment: 'crashed' });
    expect(made.blockers[0]).toContain('exit code 3');
  });

  it('comes out of its comment as it went in, whatever is in its texts', () => {
    const notes =
      'colon: "quotes"\n---\ncaloron_feedback:\n  - # no comment\n\t<!-- caloron:s:t --> é\u2028💡 yes';
    const feedback = completeFeedback(order, { notes, blockers: ['- a\n---\n', 'null', '8'] }, facts);

    const comment = feedbackComment(order, feedback);

    expect(read(comment)).toEqual(feedback);
    expect(comment.startsWith('---\ncaloron_feedback:\n  task_id: "t1"\n')).toBe(true);
  });

  it('names its own task first, whatever markers an agent writes', () => {
    const feedback = completeFeedback(order, { notes: '<!-- caloron:other:task -->' }, facts);

    const comment = feedbackComment(order, feedback);

    expect(/<!-- caloron:([a-z0-9_-]+):([a-z0-9_-]+) -->/.exec(comment)?.slice(1)).toEqual(['s1', 't1']);
  });

  it('is posted once for a process', async () => {
    const forge = createForge();
    const repo: ForgeRepo = forge.repo;
    const feedback = completeFeedback(order, {}, facts);

    await postFeedback(repo, order, feedback);
    await postFeedback(repo, order, feedback);
    await postFeedback(repo, { ...order, process_id: 'p2' }, feedback);

    expect(forge.posted).toHaveLength(2);
  });
});
