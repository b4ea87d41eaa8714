import type { FeedbackItem } from '@caloron/types';
import { z } from 'zod';

import { exampleState, exampleTask } from '../../dag/example.ts';
import { collectSprintFeedback } from '../../retro/collect_feedback.ts';
import { fieldsIn, itemsIn, likePlainer } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import { forgeError, memoryForge } from '../memory_forge.ts';
import { isInstant, timestamp } from '../vectors.ts';
import type { Row } from '../vectors.ts';
import { NUMBERS } from './retro_feedback.ts';

const Collected = z.object({ feedback_items: z.array(z.record(z.string(), z.unknown())) });

function forgeOf(row: Row) {
  const answers = row.api ?? {};
  const { repo } = memoryForge();
  const comments = async (number: number) => {
    const answer = answers[`/issues/${String(number)}/comments`] ?? [];
    if (!Array.isArray(answer)) throw forgeError('FORGE_UNAVAILABLE');
    return answer.map(fieldsIn).map((one, id) => {
      const at = isInstant(one['created_at'])
        ? String(timestamp(one['created_at']))
        : '2026-04-20T11:00:00.000Z';
      const { login } = fieldsIn(one['user']);
      const author = typeof login === 'string' ? login : null;
      const body = typeof one['body'] === 'string' ? one['body'] : '';
      return { id, issue_number: number, body, author, created_at: at, updated_at: at };
    });
  };
  return {
    open: () =>
      new Proxy(repo, {
        get: (target, name) => (name === 'comments' ? comments : Reflect.get(target, name)),
      }),
  };
}

function loginsIn(row: Row): readonly string[] {
  return Object.values(row.api ?? {})
    .flatMap(itemsIn)
    .flatMap((comment) => {
      const { login } = fieldsIn(fieldsIn(comment)['user']);
      return typeof login === 'string' ? [login] : [];
    });
}

type Item = Readonly<Record<string, unknown>>;

/** One item as both have it; what the agent itself calls its task is not asked: the issue says which it is. */
function itemOf({ issue_number, author, created_at, feedback }: FeedbackItem): Item {
  const { task_id: _, ...said } = feedback;
  return { issue_number, author, created_at, ...said };
}

const defaults = {
  agent_role: 'developer',
  task_clarity: 0,
  blockers: [],
  tools_used: [],
  tokens_consumed: 0,
  time_to_complete_min: 0,
  notes: '',
  self_assessment: 'partial',
};

/** A field as our reader takes it: numbers from text, one text for a list of one, a slip for nothing said. */
function leniently(key: string, value: unknown): unknown {
  const silent: unknown = Object.entries(defaults).find(([name]) => name === key)?.[1];
  if (NUMBERS.includes(key)) {
    const number = typeof value === 'string' ? Number(value) : value;
    if (typeof number !== 'number' || !(number >= 0)) return silent;
    return key === 'task_clarity' ? Math.min(number, 10) : number;
  }
  if (Array.isArray(silent)) {
    const all = Array.isArray(value) ? value : [value];
    return all.filter((one) => one !== null && one !== '').map(String);
  }
  if (key === 'self_assessment') return ASSESSMENTS.includes(value) ? value : silent;
  const { __python_date: date } = fieldsIn(value);
  return date ?? String(value);
}

const ASSESSMENTS: readonly unknown[] = ['completed', 'partial', 'blocked', 'failed', 'crashed'];

/** What was said, without the agent's own name for its task. */
function saidIn(fields: Item): Item {
  const known = Object.entries(fields).filter(([key, value]) => key in defaults && value !== null);
  return { ...defaults, ...Object.fromEntries(known.map(([key, value]) => [key, leniently(key, value)])) };
}

/** The fields of a comment that is no YAML: those that fit on a line. */
function linesIn(body: unknown): Item {
  const lines = String(body).replaceAll('\t', '  ').split('\n');
  const fields = lines.flatMap((line) => {
    const [, key, value] = /^ +(\w+): *(.+?) *$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value.replace(/^"(.*)"$/, '$1')]];
  });
  return Object.fromEntries(fields);
}

function goldenItem({
  issue_number,
  author,
  created_at,
  is_parsed_yaml,
  parsed,
  raw_body,
}: Item): readonly Item[] {
  const about = { issue_number, author, created_at: timestamp(created_at) };
  // An agent's YAML is often none: what can be read of it counts.
  if (is_parsed_yaml === false) return [{ ...about, ...saidIn(linesIn(raw_body)) }];
  if (typeof parsed === 'string' || Array.isArray(parsed)) return [];
  return [{ ...about, ...saidIn(fieldsIn(parsed)) }];
}

async function collected(row: Row): Promise<unknown> {
  const numbers = z.array(z.number()).parse(row.input['issue_numbers'] ?? []);
  const tasks = numbers.map((issue_number) => exampleTask(`task-${String(issue_number)}`, { issue_number }));
  const input = collectSprintFeedback.input.parse({
    target: { repo: row.input['repo'], host: null, token_env: row.input['token_env'] ?? 'GITHUB_TOKEN' },
    state: exampleState(tasks, { agent_logins: [...loginsIn(row)] }),
  });
  const output = await collectSprintFeedback.run(input, { forge: forgeOf(row) });
  const { feedback_items } = collectSprintFeedback.output.parse(output);
  return { feedback_items: feedback_items.map(itemOf) };
}

/** The row with each comment as `change` leaves it; null when it leaves all as they are. */
function withComments(row: Row, change: (comment: Item) => readonly Item[]): Row | null {
  const api = Object.entries(row.api ?? {}).map(([path, answer]) => [
    path,
    Array.isArray(answer) ? answer.map(fieldsIn).flatMap(change) : answer,
  ]);
  const changed = { ...row, api: Object.fromEntries(api) };
  return JSON.stringify(changed.api) === JSON.stringify(row.api) ? null : changed;
}

/** A comment's feedback block alone, between its rules; the comment itself where it has none of its own lines. */
function onlyBlock(comment: Item): Item {
  const lines = String(comment['body']).replaceAll('\r\n', '\n').split('\n');
  const head = lines.findIndex((line) => /^caloron[_-]feedback:\s*$/.test(line));
  const end = lines.findIndex((line, at) => at > head && /^\S/.test(line));
  if (head < 0) return comment;
  const block = lines.slice(head, end < 0 ? undefined : end).filter((line) => line !== '');
  return { ...comment, body: ['---', ...block, '---'].join('\n') };
}

/** Scalars that YAML 1.1 reads as something else than 1.2 does. */
const ONLY_1_1 = /^(?:yes|no|on|off|y|n|0\d+|\d+(?::\d+)+)$/i;

/** collect_sprint_feedback beside the original's. */
export const collectPort: Port = {
  file: 'retro_collect_feedback',
  counterparts: ['collect_sprint_feedback'],
  run: collected,
  // An item is what could be read, so it says nothing of YAML.
  shared: (output) => ({ feedback_items: Collected.parse(output).feedback_items.flatMap(goldenItem) }),
  rules: [
    {
      why: 'An empty block says nothing, so it is no feedback.',
      ours: (golden, row) => {
        const { feedback_items } = fieldsIn(row.output);
        const said = itemsIn(feedback_items).map(fieldsIn);
        return said.length > 0 &&
          said.every(({ parsed, is_parsed_yaml }) => parsed === null && is_parsed_yaml === true)
          ? { feedback_items: [] }
          : golden;
      },
    },
    {
      why: 'Feedback is YAML 1.2: yes, 010 and 1:30 are what they look like, not true, 8 and 90.',
      ours: (golden, row) => {
        const collection = Collected.safeParse(golden);
        const bodies = Object.values(row.api ?? {})
          .flatMap(itemsIn)
          .map((comment) => String(fieldsIn(comment)['body']));
        const plain = Object.entries(linesIn(bodies.join('\n'))).filter(
          ([key, value]) => key in defaults && ONLY_1_1.test(String(value)),
        );
        if (!collection.success || plain.length === 0) return golden;
        const read = plain.map(([key, value]) => {
          const decimal = /^\d+$/.test(String(value));
          return [key, leniently(key, decimal ? Number(value) : value)] as const;
        });
        return {
          feedback_items: collection.data.feedback_items.map((item) => ({
            ...item,
            ...Object.fromEntries(read),
          })),
        };
      },
    },
    {
      why: 'One feedback per task: the newest comment of its agent.',
      ours: (golden) => {
        const collection = Collected.safeParse(golden);
        if (!collection.success) return golden;
        const items = collection.data.feedback_items;
        const numbers = items.map(({ issue_number }) => issue_number);
        return { feedback_items: items.filter((_, at) => numbers.lastIndexOf(numbers[at]) === at) };
      },
    },
    likePlainer('A block is found by its own line, whatever stands around it.', collected, (row) =>
      itemsIn(fieldsIn(row.output)['feedback_items']).length === 0 && row.error === undefined
        ? withComments(row, (comment) => [onlyBlock(comment)])
        : null,
    ),
    likePlainer('Deleted accounts and comments without words are none of our agents.', collected, (row) =>
      withComments(row, (comment) =>
        typeof comment['body'] === 'string' && comment['user'] !== null ? [comment] : [],
      ),
    ),
  ],
};
