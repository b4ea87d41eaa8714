import { Command } from 'commander';

import type { Io } from './output.ts';
import { assemble, commandsFor, type ListedCommand, processIo, runProgram, withOwnName } from './program.ts';

/** Every subcommand of `caloron`, in the order of its help. */
const COMMANDS: readonly ListedCommand[] = [
  { name: 'demo', load: async () => (await import('./commands/demo.ts')).demoCommand },
  { name: 'init', load: async () => (await import('./commands/init.ts')).initCommand },
  { name: 'up', load: async () => (await import('./commands/up.ts')).upCommand },
  { name: 'down', load: async () => (await import('./commands/up.ts')).downCommand },
  { name: 'kickoff', load: async () => (await import('./commands/kickoff.ts')).kickoffCommand },
  { name: 'tick', load: async () => (await import('./commands/tick.ts')).tickCommand },
  { name: 'status', load: async () => (await import('./commands/status.ts')).statusCommand },
  { name: 'agents', load: async () => (await import('./commands/agents.ts')).agentsCommand },
  { name: 'logs', load: async () => (await import('./commands/process.ts')).logsCommand },
  { name: 'stop', load: async () => (await import('./commands/process.ts')).stopCommand },
  { name: 'wip', load: async () => (await import('./commands/wip.ts')).wipCommand },
  { name: 'gc', load: async () => (await import('./commands/gc.ts')).gcCommand },
  { name: 'pause', also: [], load: async () => (await import('./commands/pause.ts')).pauseCommand },
  { name: 'resume', also: [], load: async () => (await import('./commands/pause.ts')).resumeCommand },
  { name: 'estop', also: [], load: async () => (await import('./commands/pause.ts')).estopCommand },
  {
    name: 'resolve',
    also: ['resolved'],
    load: async () => (await import('./commands/words.ts')).wordCommand('resolve'),
  },
  {
    name: 'assign-human',
    also: [],
    load: async () => (await import('./commands/words.ts')).wordCommand('assign-human'),
  },
  { name: 'approve', also: [], load: async () => (await import('./commands/approve.ts')).approveCommand },
  {
    name: 'break-down',
    also: [],
    load: async () => (await import('./commands/words.ts')).wordCommand('break-down'),
  },
  {
    name: 'cancel',
    also: [],
    load: async () => (await import('./commands/words.ts')).wordCommand('cancel'),
  },
  { name: 'adopt', also: [], load: async () => (await import('./commands/words.ts')).wordCommand('adopt') },
  {
    name: 'take-over',
    also: ['caloron:take-over'],
    load: async () => (await import('./commands/words.ts')).wordCommand('take-over'),
  },
  { name: 'end', also: [], load: async () => (await import('./commands/end.ts')).endCommand },
  { name: 'retro', load: async () => (await import('./commands/retro.ts')).retroCommand },
  { name: 'history', load: async () => (await import('./commands/history.ts')).historyCommand },
  { name: 'show', load: async () => (await import('./commands/show.ts')).showCommand },
  { name: 'state', load: async () => (await import('./commands/history.ts')).stateCommand },
  { name: 'kv', load: async () => (await import('./commands/kv.ts')).kvCommand },
  { name: 'run', load: async () => (await import('./noether/run.ts')).runGraphCommand },
  { name: 'doctor', load: async () => (await import('./commands/doctor.ts')).doctorCommand },
];

/** The `caloron` command with the subcommands that a command line may need; without one, with all of them. */
export async function caloronProgram(io: Io, argv: readonly string[] = []): Promise<Command> {
  const program = new Command('caloron').description('Runs sprints of coding agents.');
  return assemble(program, io, await commandsFor(argv, io, COMMANDS));
}

/** The `caloron` bin. */
export async function main(argv: readonly string[]): Promise<void> {
  const io = processIo('caloron');
  const named = withOwnName(argv, COMMANDS);
  await runProgram(await caloronProgram(io, named), named, io);
}
