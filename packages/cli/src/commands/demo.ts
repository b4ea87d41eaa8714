import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { runDemo } from '../demo/demo.ts';
import type { Io } from '../output.ts';

/** `caloron demo`: a whole sprint on a forge of its own, then everything is stopped. */
export function demoCommand(io: Io): Command {
  const command = new Command('demo').description(
    'run a whole sprint: local forge, sample project, scripted agents, real git',
  );
  command
    .option('--keep', 'leave the processes up when the sprint is complete')
    .action((options: { readonly keep?: boolean }) =>
      runCommand(
        command,
        io,
        ({ cwd, signal }) =>
          runDemo({ cwd, io, keep: options.keep === true, variables: process.env, signal }),
        { creates: true, on_interrupt: 'stopping agents and processes' },
      ),
    );
  return command;
}
