import { ProjectConfig } from '@caloron/types';
import type { DagState } from '@caloron/types';

import { exampleSprint, exampleTask } from '../dag/example.ts';
import { briefIdOf } from './planned.ts';

const now = '2026-04-14T08:30:00.000Z';

/** The example of generate_sprint_dag: a list of two tasks, one after the other. */
export const exampleKickoff = {
  brief: 'A login form\n\n- [form] Write form\n- [mail] Write mail (after: form)\n',
  repo: 'acme/shop',
  sprint_id: exampleSprint.sprint_id,
  now,
  config: ProjectConfig.parse({ human_logins: ['maria'], framework: 'stub' }),
  repo_context: {
    description: 'A small shop',
    default_branch: 'main',
    open_issues: 0,
    recent_commits: [],
    languages: {},
    logins: { author: 'caloron-bot', reviewer: null },
  },
  learnings: [],
};

/** What generate_sprint_dag makes of it. */
export const exampleDag: DagState = {
  v: 1,
  sprint_id: exampleSprint.sprint_id,
  sprint: { ...exampleSprint, brief_id: briefIdOf(exampleKickoff.brief) },
  order: ['form', 'mail'],
  tasks: {
    form: exampleTask('form'),
    mail: exampleTask('mail', { agent_id: 'agent-2', depends_on: ['form'] }),
  },
  status: 'active',
};

/** The same work as a brief of two clauses: a description is all that differs, and there is none. */
export const exampleClauses: DagState = {
  ...exampleDag,
  sprint: {
    ...exampleSprint,
    goal: 'A login form Write form. Write mail.',
    brief_id: briefIdOf('A login form\n\nWrite form. Write mail.'),
  },
  order: ['a-login-form', 'write-form', 'write-mail'],
  tasks: {
    'a-login-form': exampleTask('a-login-form', { title: 'A login form' }),
    'write-form': exampleTask('write-form', {
      title: 'Write form',
      agent_id: 'agent-2',
      depends_on: ['a-login-form'],
    }),
    'write-mail': exampleTask('write-mail', { title: 'Write mail', depends_on: ['write-form'] }),
  },
};
