import { holdReason, providerHold } from '@caloron/stages/provider-hold';
import { type DagState, overWords, ownOf, type Paused, type Task, type Timestamp } from '@caloron/types';

import type { Decision } from './task-decisions.ts';
import { orderedTasks, pauseWords } from './status-table.ts';
import type { Evidence } from './task-evidence.ts';

/** What is asked about when saying what a person can do. */
export interface Situation {
  readonly task: Task;
  readonly state: DagState;
  /** Null while nobody has paused the sprint. */
  readonly paused: Paused | null;
  readonly evidence: readonly Evidence[];
  readonly decisions: readonly Decision[];
  readonly now: Timestamp;
  /** What follows a command of this home and sprint: ` --home DIR --sprint ID`. */
  readonly flags: { readonly home: string; readonly sprint: string };
}

/** What a person can do about a task now, a sentence each; nothing when it is over. */
export function nextSteps(situation: Situation): readonly string[] {
  const { task, state } = situation;
  if (task.status === 'Done' || task.status === 'Cancelled') return [];
  const waits = situation.decisions.filter(({ next_at }) => next_at !== null && next_at > situation.now);
  const { paused, flags } = situation;
  const resume = `./caloron resume ${state.sprint_id}${flags.home}`;
  return [
    ...(paused === null ? [] : [`the sprint is ${pauseWords(paused)}: ${resume} lets it go on`]),
    ...sprintSteps(situation),
    ...(task.offers ?? []).map(
      ({ process_id, pr_number, agent_id }) =>
        `take what ${agent_id} finished after it had counted as gone (PR #${pr_number}): ./caloron adopt ${task.id} ${process_id.slice(0, 8)}${flags.sprint}${flags.home}`,
    ),
    ...stepsOf(situation),
    ...waits.map(({ next_at }) => `wait: what failed is tried again at ${next_at ?? ''}`),
    ...(state.status === 'cancelled' ? ['nothing: the sprint was cancelled'] : []),
  ];
}

/** What the whole sprint waits for. */
function sprintSteps({ state, flags }: Situation): readonly string[] {
  const breach = state.budget?.breach ?? null;
  if (breach === null) return [];
  const why = breach.over.map(overWords).join(', ');
  return [
    `./caloron approve --sprint ${state.sprint_id}${flags.home}  (${why}: nothing starts before; it may use as much again)`,
  ];
}

function stepsOf(situation: Situation): readonly string[] {
  const { task, state, flags } = situation;
  if (isClaimed(task))
    return [
      `nothing: it starts here by itself once that orchestrator gives the issue back or its claim has expired (./caloron doctor${flags.home} says which home is this one)`,
    ];
  switch (task.status) {
    case 'Pending': {
      const open = task.depends_on.filter((id) => ownOf(state.tasks, id)?.status !== 'Done');
      return open.map((id) => `it waits for ${id}: ./caloron show ${id}${flags.sprint}${flags.home}`);
    }
    case 'Ready':
      if (task.status_reason?.startsWith('capacity: ') === true)
        return ['nothing: it starts by itself once there is room (see capacity in docs/configuration.md)'];
      return [`nothing: its agent is started by the next tick (./caloron tick${flags.sprint}${flags.home})`];
    case 'InProgress':
    case 'InReview':
      return [...heldSteps(situation), ...reviewSteps(task), ...agentSteps(situation)];
    case 'Blocked':
      return blockedSteps(situation);
    case 'HumanAssigned':
      return [
        `a person does it: merge its pull request, or ./caloron resolve ${task.id}${flags.sprint}${flags.home} once it is done`,
      ];
    case 'Done':
    case 'Cancelled':
      return [];
  }
}

/** Whether an agent would start if another orchestrator had not claimed the issue. */
function isClaimed({ status, process_id, put_back }: Task): boolean {
  const waits = status === 'Ready' || (status === 'InProgress' && process_id === null);
  return waits && put_back?.reason.startsWith('claimed: ') === true;
}

/** What the next start of an author waits for at its provider. */
function heldSteps({ task, state, now, flags }: Situation): readonly string[] {
  if (task.status !== 'InProgress' || task.process_id !== null) return [];
  const tasks = orderedTasks(state);
  const hold = providerHold(tasks, state.sprint, now);
  if (hold === undefined) return [];
  const met = tasks.find(({ provider_limit }) => provider_limit?.provider === hold.provider) ?? task;
  return [
    `wait: ${holdReason(hold)}; ./caloron resolve ${met.id}${flags.sprint}${flags.home} once it serves again`,
  ];
}

function reviewSteps({ status_reason, pr_number }: Task): readonly string[] {
  const pull = `PR #${pr_number ?? '?'}`;
  if (status_reason === 'waits_approval') return [`approve ${pull}`];
  if (status_reason === 'receipt_failed')
    return [`look at the receipts above: what failed was dismissed, and nothing was pushed since`];
  if (status_reason === 'checks_red') return [`look at the checks of ${pull}: they failed`];
  if (status_reason === 'draft')
    return [`mark ${pull} as ready: it is a draft, and is merged once it is none`];
  if (status_reason?.startsWith('merge_blocked: ') === true)
    return [
      `look at the protection of the base branch and the merge methods of the repository; ${pull} is merged by itself once they let it`,
    ];
  return [];
}

function agentSteps({ task, evidence, flags }: Situation): readonly string[] {
  const unsettled = evidence.filter(({ alive, pid, ended }) => !alive && !ended && pid !== null);
  const lives = evidence.filter(({ alive }) => alive);
  const pausing = lives.length === 0 ? [] : (task.budget?.pausing ?? []);
  return [
    ...pausing.map(({ at }) => `wait: its agent was told at ${at} to pause after what it is at`),
    ...lives.flatMap(({ agent_id }) => [
      `watch it: ./caloron logs -f ${agent_id}${flags.home}`,
      `end it, its work is kept: ./caloron stop ${agent_id}${flags.home}`,
    ]),
    ...(lives.length === 0 && unsettled.length > 0
      ? [
          `no process of it runs: the shell settles it and the next tick goes on (./caloron doctor${flags.home})`,
        ]
      : []),
  ];
}

function blockedSteps({ task, evidence, flags }: Situation): readonly string[] {
  const last = evidence.at(-1);
  const word = (name: string): string => `./caloron ${name} ${task.id}${flags.sprint}${flags.home}`;
  const approve =
    (task.budget?.breach ?? null) !== null
      ? [`${word('approve')}  (it may use as much again; --tokens, --usd or --minutes say how much)`]
      : [];
  return [
    ...approve,
    ...(last === undefined ? [] : [`see what its agent said: ./caloron logs ${last.agent_id}${flags.home}`]),
    ...(task.escalation_issue === null
      ? []
      : [`read issue #${task.escalation_issue}; a comment there counts too`]),
    `${word('resolve')}  (it can go on)`,
    `${word('take-over')}  (you do it)`,
    `${word('break-down')}  (it has to be split)`,
    `${word('cancel')}  (nobody wants it any more)`,
  ];
}
