import { endWritten } from '@caloron/scheduler/end-written';
import { Command } from 'commander';

import type { Io } from './output.ts';
import { assemble, commandsFor, type ListedCommand, processIo, runProgram } from './program.ts';

/** Every subcommand of `noether`, in the order of its help. */
const COMMANDS: readonly ListedCommand[] = [
  { name: 'run', load: async () => (await import('./noether/run.ts')).runGraphCommand },
  { name: 'check', load: async () => (await import('./noether/check.ts')).checkCommand },
  { name: 'graph', load: async () => (await import('./noether/graph.ts')).graphCommand },
  { name: 'migrate', load: async () => (await import('./noether/migrate.ts')).migrateCommand },
  { name: 'stage', load: async () => (await import('./noether/stage.ts')).stageCommand },
  { name: 'store', load: async () => (await import('./noether/store.ts')).storeCommand },
  { name: 'registry', load: async () => (await import('./noether/registry.ts')).registryCommand },
  { name: 'runs', load: async () => (await import('./noether/runs.ts')).runsCommand },
  { name: 'trace', load: async () => (await import('./noether/trace.ts')).traceCommand },
  { name: 'introspect', load: async () => (await import('./noether/introspect.ts')).introspectCommand },
  { name: 'version', load: async () => (await import('./noether/version.ts')).versionCommand },
];

/** The `noether` command with the subcommands that a command line may need; without one, with all of them. */
export async function noetherProgram(io: Io, argv: readonly string[] = []): Promise<Command> {
  const program = new Command('noether').description('Checks and runs composition graphs.');
  return assemble(program, io, await commandsFor(argv, io, COMMANDS));
}

/** The `noether` bin. */
export async function main(argv: readonly string[]): Promise<void> {
  const io = processIo('noether');
  await runProgram(await noetherProgram(io, argv), argv, io);
  await endWritten();
}
