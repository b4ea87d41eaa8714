import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import {
  editJson,
  environment,
  forgeWorld,
  must,
  serve,
  type Serving,
  temporaryDirectory,
} from '../support/bins.ts';
import { killProcessesOf } from '../support/processes.ts';
import { type Cli, cliEnvironment, CLIS, install } from './clis.ts';
import { type ModelEndpoint, startModel } from './model-endpoint.ts';
import type { Turn } from './turns.ts';

/** Longest a sprint of one task may take. */
const SPRINT_MS = 150_000;

const FEEDBACK = [
  'CALORON_FEEDBACK_START',
  '{"task_clarity": 9, "blockers": [], "tools_used": ["write"], "self_assessment": "completed", "notes": "easy"}',
  'CALORON_FEEDBACK_END',
].join('\n');

const USAGE = { input: 1000, output: 50, cache_read: 0, cache_write: 0 };

const Status = z.object({
  data: z.object({ tasks: z.record(z.string(), z.looseObject({ status: z.string() })) }),
});

describe.each([CLIS.claude, CLIS.codex] as readonly Cli[])(
  'a sprint of $framework, the real program',
  (cli) => {
    let dir: string;
    let model: ModelEndpoint;
    const serving: Serving[] = [];

    beforeEach(async () => {
      await install(cli);
      dir = temporaryDirectory();
      model = await startModel();
    }, 400_000);
    afterEach(async () => {
      for (const { stop } of serving.splice(0).reverse()) await stop();
      killProcessesOf(dir);
      await model.close();
      rmSync(dir, { recursive: true, force: true });
    });

    /** An author that writes one file and says how it went; a reviewer that approves. */
    function answer(body: unknown): Turn {
      const text = JSON.stringify(body);
      if (text.includes('CHANGES_REQUESTED: what has to change'))
        return { text: 'Fine.\n\nAPPROVED', usage: USAGE };
      const worktree = /\/[^\s"\\]*\.caloron\/worktrees\/[\w.-]+\/[\w.-]+/.exec(text)?.[0] ?? '.';
      const written = /"(?:tool_result|function_call_output)"/.test(text);
      if (written) return { text: `I wrote it.\n\n${FEEDBACK}`, usage: USAGE };
      return {
        text: 'I write it.',
        write: { path: join(worktree, 'hello.txt'), content: 'done\n' },
        usage: USAGE,
      };
    }

    it('goes from the brief to the merged pull request', async () => {
      model.answer = answer;
      const world = await forgeWorld(dir);
      serving.push(world.forge);
      const home = join(dir, 'home');
      let env = environment({
        ...world.tokens,
        ...cliEnvironment(cli, join(dir, 'agent-home'), model.url),
        CALORON_ALLOW_DANGEROUS: cli.framework === 'codex-cli' ? 'codex-cli' : '',
      });
      const caloron = (...args: readonly string[]): Promise<string> =>
        must('caloron', [...args, '--home', home], { cwd: dir, env });
      const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
      const agents = ['--reviewer-token-env', 'CALORON_REVIEWER_TOKEN', '--framework', cli.framework];
      await caloron('init', ...forge, ...agents, '--verify', 'sh check.sh');
      editJson(join(home, 'caloron.json'), { framework_options: cli.options });
      const shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env });
      serving.push(shell);
      env = { ...env, CALORON_SHELL_URL: shell.url };
      await caloron('kickoff', '- [hello] Write hello.txt', '--repo', world.repo, '--sprint-id', 'real');

      const deadline = performance.now() + SPRINT_MS;
      for (;;) {
        await caloron('tick', '--sprint', 'real');
        const { tasks } = Status.parse(
          JSON.parse(await caloron('status', '--sprint', 'real', '--output', 'json')),
        ).data;
        if (tasks['hello']?.status === 'Done') break;
        const shown = performance.now() < deadline ? '' : await caloron('show', 'hello', '--sprint', 'real');
        expect(performance.now(), shown).toBeLessThan(deadline);
      }

      const shown = await caloron('show', 'hello', '--sprint', 'real');
      expect(shown).toMatch(/#\d+/);
      expect(model.asked.length).toBeGreaterThanOrEqual(3);
      expect(model.unknown).toEqual([]);
    }, 240_000);
  },
);
