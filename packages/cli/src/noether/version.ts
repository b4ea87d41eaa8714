import { VERSION } from '@caloron/types/version';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { type Io } from '../output.ts';

/** `noether version`. */
export function versionCommand(io: Io): Command {
  const command = new Command('version')
    .description('the version')
    .action(() =>
      runCommand(command, io, () => Promise.resolve({ data: { version: VERSION }, text: VERSION })),
    );
  return command;
}
