import { Command } from 'commander';

import type { Io } from '../output.ts';
import { addCommand } from './stage-add.ts';
import { activateCommand, deprecateCommand, tombstoneCommand } from './stage-life.ts';
import { getCommand, listCommand, searchCommand } from './stage-look.ts';
import { pushCommand } from './stage-push.ts';
import { syncCommand } from './stage-sync.ts';
import { testCommand } from './stage-test.ts';
import { keysCommand, trustCommand } from './stage-trust.ts';
import { verifyCommand } from './stage-verify.ts';

/** `noether stage …`: what stages there are, where they come from and whether they are what they say. */
export function stageCommand(io: Io): Command {
  const command = new Command('stage').description('look at stages, add them, test them, trust them');
  const all = [
    listCommand,
    getCommand,
    searchCommand,
    addCommand,
    syncCommand,
    pushCommand,
    activateCommand,
    deprecateCommand,
    tombstoneCommand,
    testCommand,
    verifyCommand,
    trustCommand,
    keysCommand,
  ];
  for (const make of all) command.addCommand(make(io));
  return command;
}
