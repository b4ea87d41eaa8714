import { ID_PATTERN } from '@caloron/types';
import { z } from 'zod';

import { exampleKickoff } from '../../kickoff/example.ts';
import { generateSprintDag } from '../../kickoff/generate_dag.ts';
import { REJECTS, refuses } from '../conformance.ts';
import type { Port } from '../conformance.ts';
import type { Row } from '../vectors.ts';

const Made = z.object({
  dag: z.object({ sprint_id: z.string(), tasks: z.record(z.string(), z.record(z.string(), z.unknown())) }),
});
const Depends = z.array(z.string());

/** What of a task both have. Its id is a number in the original and made of its title here: it is told by its place. */
const FIELDS = [
  'title',
  'status',
  'agent_id',
  'reviewer_id',
  'issue_number',
  'pr_number',
  'started_at',
  'completed_at',
  'intervention_count',
];

function placed(
  order: readonly string[],
  tasks: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): unknown {
  return order.map((id) => {
    const task = tasks[id] ?? {};
    return {
      ...Object.fromEntries(FIELDS.map((name) => [name, task[name]])),
      depends_on: Depends.parse(task['depends_on']).map((on) => order.indexOf(on)),
    };
  });
}

async function run({ input }: Row): Promise<unknown> {
  const parsed = generateSprintDag.input.parse({
    ...exampleKickoff,
    sprint_id: null,
    brief: input['brief'],
    // The original takes what its callers know of the repository and looks at none of it.
    ...('num_agents' in input ? { num_agents: input['num_agents'] } : {}),
  });
  const llm = { available: false, complete: () => Promise.reject(new Error('no model')) };
  const { dag } = generateSprintDag.output.parse(await generateSprintDag.run(parsed, { llm }));
  if (!ID_PATTERN.test(dag.sprint_id)) throw new Error(`no id: ${dag.sprint_id}`);
  return placed(dag.order, dag.tasks);
}

/** Where a brief is cut: a line's end, a full stop of any script, or `.`, `,`, `;`, `!`, `?` before white space. */
function titlesOf(brief: string): readonly string[] {
  return brief
    .split(/[.,;!?]+(?:\s+|$)|[。！？；]|\n/)
    .map((clause) => clause.trim().replace(/^(?:[-*+]|\d+[.)]|#+)\s+/, ''))
    .map((clause) => clause.replace(/^(?:and|then)\s+/i, ''))
    .filter((clause) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(clause));
}

/** Tasks one after the other, as many authors taking turns as there are agents, and half as many reviewers. */
function inTurn(titles: readonly string[], agents: number): unknown {
  return titles.map((title, at) => ({
    title,
    status: 'Pending',
    agent_id: `agent-${(at % agents) + 1}`,
    reviewer_id: `reviewer-${(at % Math.ceil(agents / 2)) + 1}`,
    issue_number: null,
    pr_number: null,
    started_at: null,
    completed_at: null,
    intervention_count: 0,
    depends_on: at === 0 ? [] : [at - 1],
  }));
}

const Titled = z.array(z.looseObject({ title: z.string() }));

function agentsIn({ input }: Row): unknown {
  return input['num_agents'] ?? 2;
}

/** generate_sprint_dag without a model beside the original's. */
export const kickoffPort: Port = {
  file: 'kickoff_generate_dag',
  counterparts: ['generate_sprint_dag'],
  run,
  shared: (output) => {
    const { tasks } = Made.parse(output).dag;
    return placed(Object.keys(tasks), tasks);
  },
  rules: [
    {
      why: 'A clause ends before white space, so that 3.11 and an address stay whole; none is left out.',
      ours: (golden, row) => {
        const tasks = Titled.safeParse(golden);
        const { brief } = row.input;
        const agents = agentsIn(row);
        if (!tasks.success || typeof brief !== 'string' || typeof agents !== 'number') return golden;
        const titles = titlesOf(brief);
        const same = JSON.stringify(tasks.data.map(({ title }) => title)) === JSON.stringify(titles);
        return same ? golden : inTurn(titles, agents);
      },
    },
    {
      why: 'Absent is null on the wire: two agents.',
      ours: (golden, { input: { num_agents, brief } }) =>
        golden === REJECTS && num_agents === null && typeof brief === 'string'
          ? inTurn(titlesOf(brief), 2)
          : golden,
    },
    {
      why: 'Half as many reviewers as authors take turns.',
      ours: (golden, row) => {
        const tasks = Titled.safeParse(golden);
        const reviewers = Math.ceil(Number(agentsIn(row)) / 2);
        if (!tasks.success) return golden;
        return tasks.data.map((task, at) => ({ ...task, reviewer_id: `reviewer-${(at % reviewers) + 1}` }));
      },
    },
    refuses('num_agents ≥ 1: a whole number of agents, at most 50.', (row) => {
      const agents = agentsIn(row);
      return typeof agents !== 'number' || !Number.isInteger(agents) || agents < 1 || agents > 50;
    }),
    refuses(
      'More than 50 tasks is a sign that the brief was not meant to be split like this.',
      ({ input: { brief } }) => typeof brief === 'string' && titlesOf(brief).length > 50,
    ),
    refuses(
      'A brief that says nothing is an error: KICKOFF_BRIEF_EMPTY.',
      ({ input: { brief } }) => typeof brief === 'string' && titlesOf(brief).length === 0,
    ),
  ],
};
