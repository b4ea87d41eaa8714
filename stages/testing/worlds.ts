import { keys, type ForgeRepo } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { EXAMPLE_NOW, exampleState, exampleWord } from '../sprint/example.ts';
import { issueOf, memoryForge, pullOf } from './memory_forge.ts';
import { agentOf, memoryShell } from './memory_shell.ts';
import { memoryStore } from './memory_store.ts';

const clock = { now: () => EXAMPLE_NOW };

function forgeWith(fill: (forge: ReturnType<typeof memoryForge>) => void, answers: Partial<ForgeRepo> = {}) {
  const forge = memoryForge();
  fill(forge);
  return { open: () => ({ ...spread(forge.repo), ...answers }) };
}

/** The methods of a repository as own fields, so that single ones can be replaced. */
function spread(repo: ForgeRepo): ForgeRepo {
  const names = Object.keys(repo) as (keyof ForgeRepo)[];
  return Object.fromEntries(names.map((name) => [name, repo[name]])) as unknown as ForgeRepo;
}

const nothing = (): void => undefined;

function shopAnswers(): Partial<ForgeRepo> {
  const at = '2026-04-13T16:02:11.000Z';
  const description = 'A small shop';
  return {
    info: () =>
      Promise.resolve({
        full_name: 'acme/shop',
        description,
        default_branch: 'main',
        open_issues: 2,
        private: false,
        can_push: true,
      }),
    commits: () =>
      Promise.resolve([
        { sha: '0123abcd'.repeat(5), message: 'Add a basket\n\nAt last.', author: 'maria', at },
      ]),
    languages: () => Promise.resolve({ TypeScript: 48_211 }),
    whoami: () => Promise.resolve('caloron-bot'),
  };
}

function executing(): object {
  const store = memoryStore([exampleState, { ...exampleState, sprint_id: 'sprint-2' }]);
  const { sprint_id } = exampleState;
  const about = { sprint_id, task_id: 'login-form', agent_id: 'agent-1', cause: 'issue' };
  store.intend(
    action('create_issue', { ...about, title: 'Add a login form', body: '', labels: ['caloron:task'] }),
  );
  const { outbox, state, kv } = store;
  return { outbox, state, kv, forge: forgeWith(nothing), shell: { open: () => memoryShell().shell }, clock };
}

function retro(): object {
  const over = { ...exampleState, sprint_id: 'sprint-2', status: 'completed' } as const;
  const { state, kv, rows } = memoryStore([exampleState, over]);
  rows.set(keys.startedAt('sprint-1'), { value: '2026-04-14T08:00:00.000Z', rev: 1 });
  return { state, kv };
}

/** The world each impure stage's examples are true in, by the stage's name; a fresh one per call. */
export const worlds: Readonly<Record<string, () => object>> = {
  clock_now: () => ({ clock }),
  github_poll_events: () => ({
    log: memoryStore().log,
    forge: forgeWith(({ issues }) => issues.push(issueOf(1, { author: 'ada', labels: ['bug'] }))),
  }),
  github_poll_checks: () => ({ forge: forgeWith(nothing) }),
  github_create_issue: () => ({ forge: forgeWith(nothing) }),
  github_post_comment: () => ({ forge: forgeWith(({ issues }) => issues.push(issueOf(1))) }),
  github_add_label: () => ({ forge: forgeWith(({ issues }) => issues.push(issueOf(1))) }),
  github_merge_pr: () => ({ forge: forgeWith(({ pulls }) => pulls.push(pullOf(4))) }),
  collect_sprint_feedback: () => ({ forge: forgeWith(nothing) }),
  fetch_repo_context: () => ({ forge: forgeWith(nothing, shopAnswers()) }),
  generate_sprint_dag: () => ({
    llm: { available: false, complete: () => Promise.reject(new Error('no model')) },
  }),
  load_sprint: () => memoryStore([exampleState]),
  load_agents: () => {
    const { agents, shell } = memoryShell();
    agents.push(agentOf('agent-1'), agentOf('agent-2', { sprint_id: 'sprint-2' }));
    return { shell: { open: () => shell } };
  },
  read_log_events: () => {
    const { events, log } = memoryStore();
    events.push({ seq: 7, event: exampleWord });
    return { log };
  },
  commit_tick: () => memoryStore([exampleState]),
  commit_supervision: () => memoryStore([exampleState]),
  execute_actions: executing,
  spawn_agent: () => ({ shell: { open: () => memoryShell().shell } }),
  load_kickoff: () => ({ ...memoryStore(), clock }),
  store_sprint: () => memoryStore(),
  kickoff_refuse: () => ({}),
  kickoff_output: () => memoryStore([exampleState]),
  load_retro: retro,
  store_retro: () => ({
    kv: memoryStore().kv,
    reports: { write: (sprint_id: string) => Promise.resolve({ path: `reports/${sprint_id}.md` }) },
  }),
};
