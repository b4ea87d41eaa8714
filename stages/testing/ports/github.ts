import { z } from 'zod';

import { githubPollEvents } from '../../github/poll_events.ts';
import { REJECTS, fieldsIn, itemsIn, refuses } from '../conformance.ts';
import type { Port, Rule } from '../conformance.ts';
import { memoryStore } from '../memory_store.ts';
import { isInstant, timestamp } from '../vectors.ts';
import type { Row } from '../vectors.ts';
import { answerOf, changedAt, forgeOf, loginOf, REVIEWS, text } from './github_answers.ts';
import type { Fields } from './github_answers.ts';

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  issue_comment: ['issue_number', 'body', 'actor', 'created_at'],
  pr_opened: ['pr_number', 'linked_issue', 'actor', 'created_at'],
  pr_review_submitted: ['pr_number', 'review_state', 'actor', 'created_at'],
  pr_merged: ['pr_number', 'actor', 'created_at'],
};

/** The events both have, in the fields both have. Labels are read from the issues themselves. */
function eventsIn(events: readonly Fields[]): unknown {
  return events.flatMap((event) => {
    const fields = FIELDS[text(event['type'])];
    return fields === undefined
      ? []
      : [{ type: event['type'], ...Object.fromEntries(fields.map((name) => [name, event[name]])) }];
  });
}

async function run(row: Row): Promise<unknown> {
  const { repo, since, host } = row.input;
  const at = { updated_at: isInstant(since) ? timestamp(since) : null, etag: null };
  const input = githubPollEvents.input.parse({
    repo,
    host,
    token_env: row.input['token_env'],
    cursors: { v: 1, log_seq: 0, forge: { issues: at, pulls: at, comments: at } },
  });
  const forge = forgeOf(row);
  const output = await githubPollEvents.run(input, {
    forge: { open: () => forge.repo },
    log: memoryStore().log,
  });
  return eventsIn(githubPollEvents.output.parse(output).events.map(fieldsIn));
}

const Events = z.array(z.record(z.string(), z.unknown()));

function each(why: string, change: (event: Fields, row: Row) => readonly Fields[]): Rule {
  return {
    why,
    ours: (golden, row) => {
      const events = Events.safeParse(golden);
      return events.success ? events.data.flatMap((event) => change(event, row)) : golden;
    },
  };
}

/** What a pull request closes by GitHub's keywords, in prose as simple as the rows' own. */
function closedBy(row: Row, number: unknown): number | null {
  const { body } = answerOf(row, '/pulls').find((pull) => pull['number'] === number) ?? {};
  const repo = text(row.input['repo']).replaceAll(/[.]/g, '\\.');
  const reference = String.raw`(?:(?:${repo})?#|https?://[^\s]*/${repo}/issues/)(\d+)\b`;
  const found = new RegExp(
    String.raw`\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+${reference}`,
    'i',
  ).exec(text(body));
  const issue = Number(found?.[1]);
  return issue > 0 ? issue : null;
}

const RANK = ['pr_opened', 'pr_review_submitted', 'issue_comment', 'pr_merged'];

/** Everything that the changed pull requests and the comments of a row tell, in the original's words. */
function toldIn(row: Row): readonly Fields[] {
  const since = isInstant(row.input['since']) ? String(timestamp(row.input['since'])) : '';
  const pulls = answerOf(row, '/pulls').filter((pull) => changedAt(row, pull) >= since);
  const comments = answerOf(row, '/issues/comments');
  return [
    ...pulls.flatMap((pull) => pullEvents(row, pull)),
    ...comments.map(({ issue_url, body, user, created_at }) => ({
      type: 'issue_comment',
      issue_number: /(\d+)$/.exec(text(issue_url))?.[1],
      body,
      actor: loginOf(user),
      created_at: timestamp(created_at),
    })),
  ];
}

function pullEvents(row: Row, { number, user, state, created_at, merged_at }: Fields): readonly Fields[] {
  const about = { pr_number: number, actor: loginOf(user) };
  const reviews = state === 'closed' ? [] : answerOf(row, `/pulls/${String(number)}/reviews`);
  return [
    { type: 'pr_opened', ...about, linked_issue: null, created_at: timestamp(created_at) },
    ...(isInstant(merged_at) ? [{ type: 'pr_merged', ...about, created_at: timestamp(merged_at) }] : []),
    ...reviews.map((review) => ({
      type: 'pr_review_submitted',
      pr_number: number,
      review_state: text(review['state']).toLowerCase(),
      actor: loginOf(review['user']),
      created_at: timestamp(review['submitted_at']),
    })),
  ];
}

function isSame(a: Fields, b: Fields): boolean {
  return ['type', 'pr_number', 'created_at', 'body'].every((name) => a[name] === b[name]);
}

/** Whether an answer has no time that is one, or names no issue. */
function isUntimed(row: Row): boolean {
  const answers = ['/pulls', '/issues/comments'].flatMap((path) => itemsIn(row.api?.[path]).map(fieldsIn));
  const homeless = answers.some(
    ({ issue_url }) => issue_url !== undefined && !/\/\d+$/.test(text(issue_url)),
  );
  return homeless || answers.some(({ created_at }) => !isInstant(created_at));
}

function isRefused(row: Row): boolean {
  return Object.values(row.api ?? {}).some((answer) => '__status' in fieldsIn(answer));
}

const rules: readonly Rule[] = [
  refuses('An answer of a forge is parsed, and a refusal is an error: nothing was read.', (row) => {
    return isRefused(row) || isUntimed(row);
  }),
  {
    why: 'One bad record must not kill the tick: a deleted account is nobody, a strange number links nothing.',
    ours: (golden, row) => {
      const called = typeof row.input['repo'] === 'string';
      return golden === REJECTS && called && !isRefused(row) && !isUntimed(row) ? toldIn(row) : golden;
    },
  },
  {
    why: 'What is new, the log of seen event ids knows, never a time: all that a changed pull request tells is told.',
    ours: (golden, row) => {
      const events = Events.safeParse(golden);
      if (!events.success) return golden;
      const missing = toldIn(row).filter((told) => told['type'] !== 'issue_comment');
      return [...events.data, ...missing.filter((told) => !events.data.some((event) => isSame(event, told)))];
    },
  },
  each('A closed pull request is not reviewed any more.', (event, row) => {
    const { state } = answerOf(row, '/pulls').find((pull) => pull['number'] === event['pr_number']) ?? {};
    return event['type'] === 'pr_review_submitted' && state === 'closed' ? [] : [event];
  }),
  each('A review that is not submitted is none.', (event) =>
    event['type'] !== 'pr_review_submitted' || Object.values<unknown>(REVIEWS).includes(event['review_state'])
      ? [event]
      : [],
  ),
  each('A merge is told by its author and its time; who pressed the button is not asked.', (event, row) => {
    if (event['type'] !== 'pr_merged') return [event];
    const { user } = answerOf(row, '/pulls').find((pull) => pull['number'] === event['pr_number']) ?? {};
    return [{ ...event, actor: loginOf(user) }];
  }),
  each(
    'A comment that was edited says something new at the time of its edit; one without words says nothing.',
    (event, row) => {
      if (event['type'] !== 'issue_comment') return [event];
      const same = answerOf(row, '/issues/comments').find(
        ({ created_at, body }) => timestamp(created_at) === event['created_at'] && body === event['body'],
      );
      const created_at = timestamp(same?.['updated_at'] ?? event['created_at']);
      return [
        { ...event, issue_number: Number(event['issue_number']), body: text(event['body']), created_at },
      ];
    },
  ),
  each("Linking a PR: GitHub's closing keywords.", (event, row) =>
    'linked_issue' in event ? [{ ...event, linked_issue: closedBy(row, event['pr_number']) }] : [event],
  ),
  each('What did not change since the cursor is not asked for.', (event, row) => {
    const pull = answerOf(row, '/pulls').find(({ number }) => number === event['pr_number']);
    const changed = pull === undefined ? text(event['created_at']) : changedAt(row, pull);
    const { since } = row.input;
    return isInstant(since) && changed < String(timestamp(since)) ? [] : [event];
  }),
  {
    why: 'Heads before the reviews of those heads, and a merge last: the forge’s own times do not order these.',
    ours: (golden) => {
      const events = Events.safeParse(golden);
      if (!events.success) return golden;
      const rank = ({ type }: Fields): number => RANK.indexOf(text(type));
      const byTime = (a: Fields, b: Fields): number =>
        text(a['created_at']) < text(b['created_at']) ? -1 : 1;
      const ordered = events.data.toSorted((a, b) => rank(a) - rank(b) || byTime(a, b));
      return ordered.map((event) => beforeReviews(event, ordered));
    },
  },
];

/** A head came before its reviews, whatever time the forge gives for it. */
function beforeReviews(event: Fields, all: readonly Fields[]): Fields {
  const reviews = all.filter(
    ({ type, pr_number }) => type === 'pr_review_submitted' && pr_number === event['pr_number'],
  );
  const first = text(reviews[0]?.['created_at']);
  const later = event['type'] === 'pr_opened' && first !== '' && first < text(event['created_at']);
  return later ? { ...event, created_at: first } : event;
}

/** github_poll_events beside the original's, called by hand: without a sprint every pull request counts. */
export const githubPort: Port = {
  file: 'github_poll_events',
  counterparts: ['github_poll_events'],
  run,
  // polled_at was the caller's clock; ours is the newest time the forge itself has named.
  shared: (output) => {
    const events = itemsIn(fieldsIn(output)['events']).map(fieldsIn);
    return eventsIn(events.map((event) => ({ ...event, created_at: timestamp(event['created_at']) })));
  },
  rules,
};
