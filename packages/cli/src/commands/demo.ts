import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { runDemo } from '../demo/demo.ts';
import type { Io } from '../output.ts';

/** Exit code of a command a person interrupted. */
const INTERRUPTED = 130;

/** `caloron demo`: a whole sprint on a forge of its own, then everything is stopped. */
export function demoCommand(io: Io): Command {
  const command = new Command('demo').description(
    'run a whole sprint: local forge, sample project, scripted agents, real git',
  );
  command
    .option('--keep', 'leave the processes up when the sprint is complete')
    .action(async (options: { readonly keep?: boolean }) => {
      const interrupt = new AbortController();
      const onSignal = (): void => {
        if (interrupt.signal.aborted) return;
        io.err('\ninterrupted: stopping agents and processes\n');
        interrupt.abort(new Error('interrupted'));
      };
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
      await runCommand(command, io, ({ cwd }) =>
        runDemo({ cwd, io, keep: options.keep === true, variables: process.env, signal: interrupt.signal }),
      );
      if (interrupt.signal.aborted) process.exitCode = INTERRUPTED;
      process.removeListener('SIGINT', onSignal);
      process.removeListener('SIGTERM', onSignal);
    });
  return command;
}
