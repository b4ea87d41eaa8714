import { codeOf } from '@caloron/noether/stage';
import { addMs } from '@caloron/types';
import type {
  Action,
  ActionOf,
  ActionResult,
  EndCause,
  Event,
  HumanWord,
  Id,
  Report,
  Sha,
  Sprint,
} from '@caloron/types';

import { isTerminal } from '../dag/draft.ts';
import { exampleState, exampleTask } from '../dag/example.ts';
import { takenBack, throwOvertaken } from '../sprint/overtaken.ts';
import type { ActContext } from '../sprint/act_context.ts';
import { Drive, event, pull, report, sha } from './drive.ts';
import { endOf, taken } from './happening.ts';
import type { Happening } from './happening.ts';

interface Process {
  readonly id: string;
  readonly start: ActionOf<'spawn_agent'>;
}

/** How often an action is tried that may pass. */
const TRIES = 5;

/** The world of one task in memory: an outbox that keeps each action once, processes that end, a pull request whose head moves, people. */
export class SmallWorld {
  readonly drive: Drive;
  #settled = new Set<string>();
  #tries = new Map<string, number>();
  #alive: Process[] = [];
  #gone: Process[] = [];
  #log: Event[] = [];
  #forge: Event[] = [];
  #pull: { number: number; head: Sha; open: boolean } | null = null;
  #issue_open = true;
  #forbids: 'MERGE_DRAFT' | 'MERGE_BLOCKED' | null = null;
  #n = 0;

  constructor(sprint: Partial<Sprint> = {}) {
    this.drive = new Drive(exampleState([exampleTask('a', { issue_number: 1 })], sprint));
    this.drive.tick();
    // Work that was handed over: what is interesting begins here.
    this.happen({ what: 'act' });
    this.happen({ what: 'finish', head: 'a' });
  }

  /** Lets something happen, and evaluates. */
  happen(one: Happening): void {
    this.#apply(one);
    this.#tick();
  }

  /** Lets everything come to its end in a world without trouble, where people answer what they are asked. True when the task is over. */
  settle(rounds = 60): boolean {
    for (let round = 0; round < rounds && !this.#isOver(); round += 1) {
      for (const action of this.#pending()) this.#act(action);
      this.#tick();
      for (const process of this.#alive.slice()) this.#finish(process, null);
      this.#tick();
      this.#answer();
      this.drive.now = addMs(this.drive.now, 360_000);
      this.#tick();
    }
    return this.#isOver();
  }

  /** Whether a process works on the task. */
  get works(): boolean {
    return this.#alive.length > 0;
  }

  #isOver(): boolean {
    return isTerminal(this.drive.task());
  }

  #tick(): void {
    const [log, forge] = [this.#log, this.#forge];
    [this.#log, this.#forge] = [[], []];
    this.drive.busy = this.#alive.flatMap(({ start }) => start.agent_id ?? []);
    this.drive.tick({ log, forge });
  }

  #apply(one: Happening): void {
    const [process] = this.#alive;
    switch (one.what) {
      case 'act':
        return this.#pending()
          .slice(0, 1)
          .forEach((action) => this.#act(action));
      case 'act_all':
        return this.#pending().forEach((action) => this.#act(action));
      case 'refuse':
        return this.#refuse(one.code);
      case 'forbid':
        return void (this.#forbids = one.code);
      case 'end':
        return process && this.#exit(process, one.cause);
      case 'finish':
        return process && this.#finish(process, sha(one.head));
      case 'late':
        return this.#reportLate(sha(one.head));
      case 'restart':
        return this.#restart(one.to);
      case 'push':
        return this.#push(sha(one.head));
      case 'review':
        return this.#review(one.says);
      case 'issue':
        return this.#turnIssue();
      case 'pull':
        return this.#turnPull();
      case 'checks':
        return this.#pass();
      case 'word':
        return this.#say(one.word);
      case 'wait':
        this.drive.now = addMs(this.drive.now, 360_000);
    }
  }

  #event(facts: Parameters<typeof event>[0]): Event {
    this.#n += 1;
    return event({ ...facts, event_id: `e${String(this.#n)}`, created_at: this.drive.now });
  }

  #pending(): readonly Action[] {
    return this.drive.outbox.filter(({ action_id }) => !this.#settled.has(action_id));
  }

  #succeed(action: Action, result: ActionResult = {}): void {
    this.#settled.add(action.action_id);
    this.#log.push(this.#event({ type: 'action_succeeded', action, result }));
  }

  #fail(action: Action, code: string, final: boolean): void {
    if (final) this.#settled.add(action.action_id);
    const error = { code, message: code, retryable: !final };
    this.#log.push(this.#event({ type: 'action_failed', action, error, final }));
  }

  #refuse(code: string): void {
    const action = this.#pending().find(({ type }) => type === 'merge_pr' || type === 'spawn_agent');
    if (action !== undefined) this.#fail(action, code, true);
  }

  #act(action: Action): void {
    if (action.type === 'spawn_agent') return this.#start(action);
    if (action.type === 'merge_pr') return this.#merge(action);
    const ends = ({ id }: Process): boolean =>
      action.type === 'close_sprint' || (action.type === 'stop_agent' && action.process_id === id);
    for (const process of this.#alive.filter(ends)) this.#exit(process, 'stopped');
    this.#succeed(action, action.type === 'escalate' ? { issue_number: 900 } : {});
  }

  #start(action: ActionOf<'spawn_agent'>): void {
    const context = { snapshot: { state: this.drive.state } } as unknown as ActContext;
    try {
      const row = { action, attempts: 0 } as Parameters<typeof takenBack>[0];
      const back = takenBack(row, context);
      if (back !== undefined) return this.#succeed(action, back.result);
    } catch {
      return this.#fail(action, 'ACTION_OVERTAKEN', false);
    }
    this.#n += 1;
    const process = { id: `p${String(this.#n)}`, start: action };
    this.#alive.push(process);
    this.#succeed(action, { process_id: process.id, base_sha: sha('0') });
  }

  #merge(action: ActionOf<'merge_pr'>): void {
    try {
      throwOvertaken(action, this.drive.task());
    } catch (error) {
      return this.#fail(action, codeOf(error), codeOf(error) === 'MERGE_NOT_WANTED');
    }
    const tries = (this.#tries.get(action.action_id) ?? 0) + 1;
    this.#tries.set(action.action_id, tries);
    const { head, number, open } = this.#pull ?? {};
    if (number !== action.pr_number || open !== true) return this.#fail(action, 'MERGE_CLOSED', true);
    if (head !== action.head_sha) return this.#fail(action, 'FORGE_HEAD_MOVED', tries >= TRIES);
    if (this.#forbids !== null) return this.#fail(action, this.#forbids, false);
    this.#succeed(action, { merge_sha: sha('e') });
  }

  #exit({ id, start }: Process, cause: EndCause['class']): void {
    this.#alive = this.#alive.filter((process) => process.id !== id);
    if (start.role === 'author') this.#gone.push({ id, start });
    this.#log.push(this.#event(endOf(id, start.role, cause, this.drive.now)));
  }

  /** Ends a process with what it was started for: work at `head`, which is new where none is named, or an approval. */
  #finish(process: Process, head: Sha | null): void {
    const { head_sha, role, mode } = process.start;
    if (role === 'author') {
      this.#push(head ?? this.#fresh());
      this.#tellWork(process);
    } else {
      const verified = mode === 'verify' ? { mode } : {};
      this.#report(process, { outcome: 'approved', head_sha, ...verified });
    }
    this.#exit(process, 'crash');
  }

  #tellWork(process: Process): void {
    if (this.#pull === null) return;
    this.#report(process, { head_sha: this.#pull.head, pr_number: this.#pull.number });
  }

  #report({ id: process_id, start: { agent_id, role, attempt } }: Process, change: Partial<Report>): void {
    const told = report({ process_id, agent_id: agent_id ?? 'agent-1', role, attempt, ...change });
    this.#log.push({ ...told, created_at: this.drive.now });
  }

  /** An author that had counted as gone has pushed and reports. */
  #reportLate(head: Sha): void {
    const process = this.#gone.at(-1);
    if (process === undefined) return;
    this.#push(head);
    this.#tellWork(process);
  }

  /** Supervision stops the author, in favour of another or not. */
  #restart(to: Id | null): void {
    const process = this.#alive.find(({ start }) => start.role === 'author');
    if (process === undefined) return;
    this.#n += 1;
    this.#exit(process, 'stopped');
    this.#succeed(taken(process.start, process.id, to, this.#n), { process_id: process.id });
  }

  #fresh(): Sha {
    this.#n += 1;
    return `f${String(this.#n)}`.padEnd(40, '0');
  }

  #push(head: Sha): void {
    const { number = 6, open, head: before } = this.#pull ?? {};
    if (open === true && before === head) return;
    this.#pull = { number: open === true ? number : number + 1, head, open: true };
    this.#tell(open === true ? 'pr_updated' : 'pr_opened');
  }

  #tell(type: 'pr_opened' | 'pr_updated' | 'pr_closed' | 'pr_reopened'): void {
    if (this.#pull === null) return;
    const { number: pr_number, head: head_sha } = this.#pull;
    this.#forge.push({ ...pull(type, { pr_number, head_sha }), created_at: this.drive.now });
  }

  #review(review_state: 'approved' | 'changes_requested' | 'dismissed'): void {
    if (this.#pull === null) return;
    const { number: pr_number, head: head_sha } = this.#pull;
    const about = { pr_number, head_sha, review_state, review_id: 'r1', body: '', actor: 'maria' };
    this.#forge.push(this.#event({ type: 'pr_review_submitted', ...about }));
  }

  /** A person closes the issue, or opens it again. */
  #turnIssue(): void {
    this.#issue_open = !this.#issue_open;
    const type = this.#issue_open ? 'issue_reopened' : 'issue_closed';
    this.#forge.push(this.#event({ type, issue_number: 1 }));
  }

  /** A person closes the pull request, or opens it again. */
  #turnPull(): void {
    if (this.#pull === null) return;
    this.#pull.open = !this.#pull.open;
    this.#tell(this.#pull.open ? 'pr_reopened' : 'pr_closed');
  }

  #say(word: HumanWord): void {
    this.#log.push(this.#event({ type: 'human_command', task_id: 'a', word, actor: 'maria' }));
  }

  /** What a person does who reads what the task waits for, and a forge whose checks pass. */
  #answer(): void {
    const { status, status_reason, head_sha, pr_number } = this.drive.task();
    // Whatever is done on a pull request has the next poll tell its head.
    const { head, number, open } = this.#pull ?? {};
    if (open === true && number === pr_number && head !== head_sha) this.#tell('pr_updated');
    this.#forbids = null;
    if (!this.#issue_open) return this.#turnIssue();
    if (status === 'Blocked' || status === 'HumanAssigned') return this.#say('resolved');
    if (status_reason === 'waits_approval') return this.#review('approved');
    this.#pass();
  }

  /** The checks of the task's head pass. */
  #pass(): void {
    const { head_sha, pr_number, checks } = this.drive.task();
    if (head_sha !== null && pr_number !== null && checks !== 'green')
      this.#forge.push(this.#event({ type: 'checks_changed', pr_number, head_sha, checks: 'green' }));
  }
}
