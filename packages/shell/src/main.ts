import { codeOf, CodedError, messageOf } from '@caloron/noether/errors';
import { VERSION } from '@caloron/types/version';
import { Command } from 'commander';

import { readConfig, type ShellFlags } from './config.ts';
import { startShell } from './start.ts';

/** `caloron-shell`: serves until SIGTERM or SIGINT; agents go on when it stops. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('caloron-shell')
    .description('Starts, watches and stops the agents of a home, and takes their heartbeats.')
    .option(
      '--port <number>',
      'port on the loopback address; 0 finds a free one (default: CALORON_SHELL_PORT or 7710)',
    )
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--home <dir>', 'directory that holds .caloron/ (default: the nearest one above)')
    .option(
      '--require-sandbox',
      'start no agent without a sandbox, and refuse to serve where none works (also: CALORON_REQUIRE_SANDBOX=1)',
    )
    .version(VERSION)
    .allowExcessArguments(false)
    .action((flags: ShellFlags) => serve(flags));
  await program.parseAsync(argv, { from: 'user' });
}

async function serve(flags: ShellFlags): Promise<void> {
  try {
    const shell = await startShell(readConfig(flags));
    const stop = (): void => {
      shell.close().then(
        () => process.exit(0),
        (error: unknown) => fail(error),
      );
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    process.stdout.write(`${JSON.stringify({ ready: true, url: shell.url, pid: process.pid })}\n`);
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  const hint = error instanceof CodedError && error.hint !== undefined ? `\n${error.hint}` : '';
  process.stderr.write(`caloron-shell: ${messageOf(error)} [${codeOf(error)}]${hint}\n`);
  process.exit(1);
}
