import {
  addMs,
  keys,
  markerOf,
  type Action,
  type DagState,
  type Task,
  type TaskClaim,
  type Timestamp,
} from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { EXAMPLE_NOW, exampleState, exampleTask } from '../sprint/example.ts';
import { executeActions } from '../sprint/execute_actions.ts';
import { issueOf, memoryForge, pullOf, sha, type MemoryForge } from './memory_forge.ts';
import { memoryShell } from './memory_shell.ts';
import { memoryStore } from './memory_store.ts';

/** Whom the actions are about. */
export const about = { sprint_id: 'sprint-1', task_id: 'login-form', agent_id: 'agent-1' } as const;
/** The hidden line of the task. */
export const marker = markerOf('sprint-1', 'login-form');
/** The hidden line of an action. */
export const hidden = (of: Action): string => `<!-- caloron-action:${of.action_id} -->`;

function ownForge(): MemoryForge {
  const forge = memoryForge();
  forge.issues.push(issueOf(1, { body: marker, labels: ['caloron:task'] }));
  forge.pulls.push(pullOf(4, { body: marker }));
  return forge;
}

/** A sprint with one task, a forge with its issue and pull request, a shell, and what the sprint intends; `others` gives it the forge of another home. */
export function world(
  actions: readonly Action[],
  task: Partial<Task> = {},
  sprint: Partial<DagState['sprint']> = {},
  others?: { readonly forge: MemoryForge; readonly home: string },
) {
  const state: DagState = {
    ...exampleState,
    // On this machine a claim is settled at once.
    sprint: { ...exampleState.sprint, host: 'http://127.0.0.1:7720', ...sprint },
    tasks: { 'login-form': { ...exampleTask, issue_number: 1, ...task } },
  };
  const store = memoryStore([state]);
  for (const one of actions) store.intend(one);
  const shell = memoryShell();
  const { home = 'db', forge = ownForge() } = others ?? {};
  Object.assign(shell.shell, { health: () => Promise.resolve({ ok: true, db_id: home, version: '0.1.0' }) });
  let now: Timestamp = EXAMPLE_NOW;
  const run = () =>
    Promise.resolve(
      executeActions.call(
        { sprint_id: 'sprint-1' },
        {
          outbox: store.outbox,
          state: store.state,
          kv: store.kv,
          forge: { open: () => forge.repo },
          shell: { open: () => shell.shell },
          clock: { now: () => now },
        },
      ),
    );
  const later = (ms: number): void => void (now = addMs(now, ms));
  /** As after a crash between the effect and its record. */
  const forget = (of: Action): void => {
    const row = store.actions.get(of.action_id);
    if (row !== undefined) store.actions.set(of.action_id, { ...row, status: 'running', interrupted: true });
  };
  const row = (of: Action) => store.actions.get(of.action_id);
  return { store, forge, shell, run, later, forget, row, claim: () => claimed(store) };
}

/** Lets the home have claimed the task for the next day, by a comment the forge lacks. */
function claimed({ rows }: ReturnType<typeof memoryStore>): void {
  const [at, until] = [EXAMPLE_NOW, addMs(EXAMPLE_NOW, 86_400_000)];
  const claim: TaskClaim = {
    v: 1,
    issue_number: 1,
    comment_id: 99,
    generation: 1,
    renewals: 0,
    home: 'db',
    text: '',
    settled_at: at,
    won: true,
    sent_at: until,
    until,
  };
  rows.set(keys.claim(about.sprint_id, about.task_id), { value: claim, rev: 1 });
}

/** Opens the issue of the task. */
export const createIssue = action('create_issue', {
  ...about,
  cause: 'issue',
  title: 'Add a login form',
  body: `Do it.\n${marker}`,
  labels: ['caloron:task'],
});
/** Starts the author of the task. */
export const spawn = action('spawn_agent', {
  ...about,
  cause: 'author:start:1:-',
  issue_number: 1,
  role: 'author',
  mode: 'start',
  attempt: 1,
  instruction: null,
  pr_number: null,
  head_sha: null,
});
/** Shows that pull request 4 waits for its review. */
export const submit = action('submit_pr_for_review', {
  ...about,
  cause: '4:a',
  pr_number: 4,
  reviewer_id: 'reviewer-1',
  head_sha: sha('a'),
});
/** Merges pull request 4 at its approved head. */
export const merge = action('merge_pr', {
  ...about,
  cause: `4:${sha('a')}`,
  pr_number: 4,
  head_sha: sha('a'),
});
/** Ends the issue of the task. */
export const done = action('mark_done', { ...about, cause: '4', issue_number: 1, pr_number: 4 });
/** Tells the agent something. */
export const notify = action('notify_agent', {
  ...about,
  cause: 'e1',
  issue_number: 1,
  message: 'Changes requested.',
});
/** Asks the agent how it goes. */
export const probe = action('supervisor', {
  ...about,
  cause: '0:0',
  action: 'probe',
  reason: 'no progress for 25 minutes',
  message: 'How is it going?',
});
/** Starts the agent anew. */
export const restart = action('supervisor', {
  ...about,
  cause: '0:1',
  action: 'restart',
  reason: 'still none',
  message: 'Restarted.',
});
/** Asks a person. */
export const escalate = action('escalate', {
  ...about,
  cause: 'agent_stalled:0',
  reason_code: 'agent_stalled',
  reason: 'stalled',
  message: 'Please look.',
  pr_number: 4,
});
/** Stops a process. */
export const stop = action('stop_agent', {
  ...about,
  cause: 'process-1',
  process_id: 'process-1',
  grace_ms: 10,
});
/** Removes worktree and branch. */
export const cleanup = action('cleanup', {
  ...about,
  cause: 'b:a',
  branch: 'caloron/sprint-1/login-form',
  merge_sha: sha('c'),
});
/** Closes the sprint. */
export const close = action('close_sprint', {
  sprint_id: 'sprint-1',
  task_id: null,
  agent_id: null,
  cause: 'close',
});
