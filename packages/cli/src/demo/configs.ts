import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { compositionPath } from '../composition.ts';
import { SCRIPT_DIR, type DemoUsers } from './world.ts';

/** Writes the demo's caloron.json and scheduler.json into its home. */
export function writeDemoConfigs(
  home: string,
  facts: { readonly repo: string; readonly host: string; readonly users: DemoUsers; readonly store: string },
): string {
  const { repo, host, users, store } = facts;
  mkdirSync(home, { recursive: true });
  const project = {
    repo,
    host,
    token_env: 'CALORON_FORGE_TOKEN',
    reviewer_token_env: 'CALORON_REVIEWER_TOKEN',
    agent_logins: [users.author.login],
    reviewer_logins: [users.reviewer.login],
    human_logins: [users.human.login],
    framework: 'stub',
    framework_options: { script_dir: SCRIPT_DIR },
    verify: [['node', '--test']],
    agent_timeout_ms: 60_000,
    num_agents: 3,
  };
  const on = [
    'agent_reported',
    'agent_exited',
    'action_succeeded',
    'action_failed',
    'human_command',
    'sprint.started',
    'sprint.resumed',
    'forge.delivered',
  ];
  const input_from = 'kv:caloron:active_sprint';
  const scheduler = {
    store_path: store,
    jobs: [
      { name: 'sprint-tick', cron: '* * * * *', graph: compositionPath('sprint_tick'), input_from, on },
      {
        name: 'retro',
        cron: '0 18 * * 5',
        graph: compositionPath('retro'),
        input_from,
        on: ['sprint.completed'],
      },
    ],
  };
  writeFileSync(join(home, 'caloron.json'), `${JSON.stringify(project, null, 2)}\n`);
  const path = join(home, 'scheduler.json');
  writeFileSync(path, `${JSON.stringify(scheduler, null, 2)}\n`);
  return path;
}
