import { addMs } from '@caloron/types';
import type {
  Action,
  ActionError,
  ActionOf,
  ActionResult,
  ActionType,
  AgentsMap,
  DagState,
  Event,
  Report,
  Task,
} from '@caloron/types';

import { dagEvaluate } from '../dag/evaluate.ts';
import { exampleSprint } from '../dag/example.ts';

/** A commit of 40 times the same hex digit. */
export function sha(digit: string): string {
  return digit.repeat(40);
}

const AT = '2026-04-14T08:30:00.000Z';

/** What an event needs beside its facts. */
export const told = { event_id: 'e', created_at: AT, actor: 'caloron-bot', trusted: true };

type Facts<E extends Event['type']> = Omit<
  Extract<Event, { type: E }>,
  'event_id' | 'created_at' | 'actor' | 'trusted'
>;
type AnyFacts = { [E in Event['type']]: Facts<E> }[Event['type']] & Partial<typeof told>;

/** An event with defaults for what a test does not look at. */
export function event(facts: AnyFacts): Event {
  return { ...told, ...facts } as Event;
}

/** An author's report of a finished task, or whatever the test says instead. */
export function report(change: Partial<Report>): Event {
  const full: Report = {
    sprint_id: exampleSprint.sprint_id,
    task_id: 'a',
    agent_id: 'agent-1',
    process_id: 'p1',
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    head_sha: null,
    pr_number: null,
    exit: { code: 0, signal: null, at: AT, known: true },
    tokens_used: 0,
    duration_ms: 1000,
    body: '',
    receipt: null,
    feedback: null,
    synthetic: false,
    ...change,
  };
  return event({ type: 'agent_reported', report: full });
}

/** The end of a process. */
export function exited(process_id: string, role: 'author' | 'reviewer' = 'author', task_id = 'a'): Event {
  return event({
    type: 'agent_exited',
    process_id,
    task_id,
    role,
    exit: { code: 1, signal: null, at: AT, known: true },
  });
}

/** A pull request of task `a` by our agent. */
export function pull(
  type: 'pr_opened' | 'pr_updated' | 'pr_closed' | 'pr_reopened',
  change: Partial<Facts<'pr_opened'> & typeof told> = {},
): Event {
  const { sprint_id } = exampleSprint;
  const facts = {
    pr_number: 7,
    head_sha: sha('a'),
    head_ref: `caloron/${sprint_id}/a`,
    base_ref: 'main',
    draft: false,
    fork: false,
    linked_issue: 1,
    marker: { sprint_id, task_id: 'a' },
  };
  return event({ ...facts, ...change, type } as AnyFacts);
}

/** Drives dag_evaluate as ticks do: what it intends is kept once, as the outbox keeps it. */
export class Drive {
  state: DagState;
  busy: string[] = [];
  /** The agents as the shell sees them. */
  agents: AgentsMap = {};
  stuck: Record<string, string> = {};
  readonly outbox: Action[] = [];
  readonly announced: { kind: string; payload?: unknown }[] = [];
  now = AT;

  constructor(state: DagState) {
    this.state = state;
  }

  /** One evaluation; gives the actions that are new. */
  tick(
    happened: { readonly log?: readonly Event[]; readonly forge?: readonly Event[] } = {},
  ): readonly Action[] {
    this.now = addMs(this.now, 1000);
    const { state, busy, agents, now } = this;
    const given = {
      state,
      busy,
      agents,
      now,
      log_events: [...(happened.log ?? [])],
      events: [...(happened.forge ?? [])],
    };
    const out = dagEvaluate.output.parse(dagEvaluate.call(dagEvaluate.input.parse(given), {}));
    this.state = out.state;
    this.stuck = out.stuck;
    this.announced.push(...out.announce);
    const fresh = out.actions.filter(
      ({ action_id }) => !this.outbox.some((known) => known.action_id === action_id),
    );
    this.outbox.push(...fresh);
    return fresh;
  }

  /** One evaluation when some time has passed: by default more than any backoff. */
  later(ms = 300_000): readonly Action[] {
    this.now = addMs(this.now, ms);
    return this.tick();
  }

  log(...events: Event[]): readonly Action[] {
    return this.tick({ log: events });
  }

  forge(...events: Event[]): readonly Action[] {
    return this.tick({ forge: events });
  }

  /** The newest intended action of a type. */
  latest<T extends ActionType>(type: T): ActionOf<T> {
    const found = this.outbox.findLast((action): action is ActionOf<T> => action.type === type);
    if (found === undefined) throw new Error(`no ${type} was intended: ${this.intended().join(', ')}`);
    return found;
  }

  /** Lets the newest action of a type succeed. */
  succeed(type: ActionType, result: ActionResult = {}): readonly Action[] {
    return this.log(event({ type: 'action_succeeded', action: this.latest(type), result }));
  }

  /** Lets the newest action of a type fail for good. */
  fail(
    type: ActionType,
    code: string,
    more: Partial<ActionError & { final: boolean }> = {},
  ): readonly Action[] {
    const { final = true, ...rest } = more;
    return this.log(
      event({
        type: 'action_failed',
        action: this.latest(type),
        error: { code, message: `it said ${code}`, retryable: false, ...rest },
        final,
      }),
    );
  }

  task(id = 'a'): Task {
    const task = this.state.tasks[id];
    if (task === undefined) throw new Error(`no task ${id}`);
    return task;
  }

  /** Everything intended so far, as `type cause`. */
  intended(): readonly string[] {
    return this.outbox.map(({ type, cause }) => `${type} ${cause}`);
  }

  /** What was intended of one type, by cause. */
  causes(type: ActionType): readonly string[] {
    return this.outbox.filter((action) => action.type === type).map(({ cause }) => cause);
  }
}
