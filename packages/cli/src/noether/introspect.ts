import { Command } from 'commander';

import { runCommand } from '../context.ts';
import type { Io } from '../output.ts';

/** One command of the tree, for programs that use the command line. */
export interface CommandFacts {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly description: string;
  }[];
  readonly options: readonly {
    readonly flags: string;
    readonly required: boolean;
    readonly description: string;
    readonly choices: readonly string[] | null;
  }[];
  readonly commands: readonly CommandFacts[];
}

/** A command with all below it. */
export function factsOf(command: Command): CommandFacts {
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      description: argument.description,
    })),
    options: command.options.map(({ flags, mandatory, description, argChoices }) => ({
      flags,
      required: mandatory,
      description,
      choices: argChoices ?? null,
    })),
    commands: command.commands.map(factsOf),
  };
}

/** `noether introspect`: all commands with their arguments and options, as JSON. */
export function introspectCommand(io: Io): Command {
  const command = new Command('introspect')
    .description('all commands, arguments and options, as JSON')
    .action(() =>
      runCommand(command, io, () => {
        const facts = factsOf(command.parent ?? command);
        return Promise.resolve({ data: facts, text: JSON.stringify(facts, null, 2) });
      }),
    );
  return command;
}
