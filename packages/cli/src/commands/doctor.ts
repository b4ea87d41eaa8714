import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { createShells } from '@caloron/capabilities/shell';
import { messageOf } from '@caloron/noether/errors';
import { readProjectConfig, verifyStageStore } from '@caloron/scheduler';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import type { Io } from '../output.ts';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

async function checked(name: string, work: () => Promise<string> | string): Promise<Check> {
  try {
    return { name, ok: true, detail: await work() };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) };
  }
}

function checks(context: Context): readonly Promise<Check>[] {
  const { home, environment, runtime } = context;
  return [
    checked('node', () => process.versions.node),
    checked('git', async () => (await git(['--version'], {})).stdout.trim()),
    checked('database', () => `${runtime().store.path} (${runtime().store.db_id})`),
    checked('caloron.json', () => {
      const config = readProjectConfig(home.project_file);
      if (config === undefined) return `none at ${home.project_file}: defaults are used`;
      const missing = [config.token_env, config.reviewer_token_env].filter(
        (name) => name !== null && (environment.variables[name] ?? '') === '',
      );
      if (missing.length > 0) throw new Error(`the variable ${missing.join(', ')} is not set`);
      return home.project_file;
    }),
    checked('stage store', async () => {
      const path = join(home.dir, '.noether', 'store.json');
      await verifyStageStore(path, runtime().catalog);
      return path;
    }),
    checked('scheduler.json', () => {
      const path = join(home.dir, 'scheduler.json');
      if (!existsSync(path)) throw new Error(`none at ${path}: caloron init writes one`);
      return path;
    }),
    checked('shell', async () => {
      const shells = createShells({
        url: environment.shell_url,
        token: environment.shell_token,
        db_id: runtime().store.db_id,
      });
      const { version } = await shells.open(null).health();
      return `${environment.shell_url} (${version})`;
    }),
  ];
}

/** `caloron doctor`: what is missing before a sprint can run. */
export function doctorCommand(io: Io): Command {
  const command = new Command('doctor').description('check what a sprint needs').action(() =>
    runCommand(command, io, async (context) => {
      const found = await Promise.all(checks(context));
      const rows = found.map(({ name, ok, detail }) => [ok ? 'ok' : 'MISSING', name, detail]);
      const text = rows
        .map(([state = '', name = '', detail = '']) => `${state.padEnd(8)} ${name.padEnd(15)} ${detail}`)
        .join('\n');
      return {
        data: found,
        text,
        table: { head: ['', 'what', 'detail'], rows },
        exit_code: found.every(({ ok }) => ok) ? 0 : 1,
      };
    }),
  );
  return command;
}
