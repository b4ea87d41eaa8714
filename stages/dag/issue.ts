import { markerOf } from '@caloron/types';
import type { ActionOf, Sprint, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { causeOf } from './draft.ts';

function issueBody(sprint: Sprint, task: Task): string {
  const reviewer = task.reviewer_id === null ? [] : [`**Reviewer**: @caloron-agent-${task.reviewer_id}`];
  const dependencies = task.depends_on.map((id) => `- [ ] \`${id}\``);
  return [
    `# ${task.title}`,
    '',
    `**Sprint**: ${sprint.sprint_id}`,
    `**Assigned to**: @caloron-agent-${task.agent_id}`,
    ...reviewer,
    ...(task.description.trim() === '' ? [] : ['', task.description.trim()]),
    ...(dependencies.length === 0 ? [] : ['', '## Dependencies', ...dependencies]),
    '',
    '## Definition of Done',
    '- [ ] Implementation',
    '- [ ] Tests',
    '- [ ] Pull request',
    '- [ ] Feedback comment',
    '',
    '---',
    `Task ID: ${task.id} | Managed by Caloron`,
    markerOf(sprint.sprint_id, task.id),
  ].join('\n');
}

/** Intends a task's issue: the same one however often it is intended, until a person has answered for a failure. */
export function createIssue(sprint: Sprint, task: Task): ActionOf<'create_issue'> {
  return action('create_issue', {
    cause: causeOf(task, 'issue'),
    sprint_id: sprint.sprint_id,
    task_id: task.id,
    agent_id: task.agent_id,
    title: task.title,
    body: issueBody(sprint, task),
    labels: ['caloron:task'],
  });
}
