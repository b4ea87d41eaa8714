import { cloneUrl } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { plainTarget, targetOf } from './target.ts';

/** Comments on an issue or pull request; called twice it comments twice. */
export const githubPostComment = defineStage({
  name: 'github_post_comment',
  description: 'Comments on an issue or pull request.',
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({ ...plainTarget, issue_number: z.number().int().positive(), body: z.string().min(1) }),
  output: z.strictObject({ comment_id: z.number().int().positive(), url: z.string() }),
  examples: [
    {
      input: { repo: 'owner/repo', issue_number: 1, body: 'On it.' },
      output: { comment_id: 100, url: 'https://github.com/owner/repo/issues/1#issuecomment-100' },
    },
    {
      input: { repo: 'acme/shop', issue_number: 1, body: 'Completed via PR #4' },
      output: { comment_id: 100, url: 'https://github.com/acme/shop/issues/1#issuecomment-100' },
    },
    {
      input: {
        repo: 'owner/repo',
        host: 'https://git.example.org/api/v1',
        token_env: 'GITEA_TOKEN',
        issue_number: 1,
        body: '@caloron-agent-agent-1 has been assigned this task.',
      },
      output: { comment_id: 100, url: 'https://git.example.org/owner/repo/issues/1#issuecomment-100' },
    },
  ],
  run: async (input, { forge }) => {
    const target = targetOf(input);
    const { id } = await forge.open(target).comment(input.issue_number, input.body);
    const page = cloneUrl(target.host, target.repo).replace(/\.git$/, '');
    return { comment_id: id, url: `${page}/issues/${String(input.issue_number)}#issuecomment-${String(id)}` };
  },
});
