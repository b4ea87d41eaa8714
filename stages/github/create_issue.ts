import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { plainTarget, targetOf } from './target.ts';

/** Opens one issue; called twice it opens two. A sprint's issues are opened by `execute_actions`, which looks first. */
export const githubCreateIssue = defineStage({
  name: 'github_create_issue',
  description: 'Opens an issue.',
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({
    ...plainTarget,
    title: z.string().min(1),
    body: z.string().nullish(),
    labels: z.array(z.string()).nullish(),
  }),
  output: z.strictObject({ issue_number: z.number().int().positive(), url: z.string() }),
  examples: [
    {
      input: { repo: 'owner/repo', title: 'Add a login form', body: '', labels: ['caloron:task'] },
      output: { issue_number: 1, url: 'https://github.com/owner/repo/issues/1' },
    },
    {
      input: { repo: 'acme/shop', title: 'Say hello' },
      output: { issue_number: 1, url: 'https://github.com/owner/repo/issues/1' },
    },
    {
      input: {
        repo: 'acme/shop',
        host: 'http://127.0.0.1:3000',
        token_env: 'GITEA_TOKEN',
        title: 'Write mail',
        body: 'To whom it concerns.',
        labels: null,
      },
      output: { issue_number: 1, url: 'https://github.com/owner/repo/issues/1' },
    },
  ],
  run: async (input, { forge }) => {
    const repo = forge.open(targetOf(input));
    const { title, body, labels } = input;
    const issue = await repo.createIssue({ title, body: body ?? '', labels: labels ?? [] });
    return { issue_number: issue.number, url: issue.url };
  },
});
